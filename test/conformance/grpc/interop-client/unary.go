package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	businessv1 "example.com/dice/gen/chappe/business/v1"
	msgv1 "example.com/dice/gen/chappe/msg/v1"
	dicev1 "example.com/dice/gen/example/dice/v1"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

const contentBytes = 32_000

func health(ctx context.Context, w *world) (any, error) {
	answer, err := healthv1.NewHealthClient(w.conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return nil, err
	}
	return answer.Status.String(), nil
}

func custom(fill byte, size int) *msgv1.OutgoingMessage {
	data := &msgv1.CustomContent{Type: "application/octet-stream", Data: bytes.Repeat([]byte{fill}, size)}
	return &msgv1.OutgoingMessage{Content: &msgv1.MessageContent{Kind: &msgv1.MessageContent_Custom{Custom: data}}}
}

func direct(a, b uint64) []byte {
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, min(a, b))
	binary.BigEndian.PutUint64(id[8:], max(a, b))
	return id
}

// large sends twelve messages of 32 kB, three in a request, and reads them back in one answer.
func large(ctx context.Context, w *world) (any, error) {
	request := &businessv1.RegisterRequest{Name: "go-reader", Password: "correct horse"}
	registered, err := businessv1.NewAuthServiceClient(w.conn).Register(ctx, request)
	if err != nil {
		return nil, err
	}
	conversation := direct(w.userID, registered.Tokens.UserId)
	for at := byte(0); at < 12; at += 3 {
		send := &msgv1.SendRequest{ConversationId: conversation}
		for i := range byte(3) {
			send.Messages = append(send.Messages, custom(at+i+1, contentBytes))
		}
		if _, err := msgv1.NewMessageServiceClient(w.conn).Send(w.as(ctx), send); err != nil {
			return nil, err
		}
	}
	history := msgv1.NewHistoryServiceClient(w.conn)
	for {
		list := &msgv1.ListMessagesRequest{ConversationId: conversation, FromSeq: 1, Limit: 200}
		page, err := history.ListMessages(w.as(ctx), list)
		if err != nil {
			return nil, err
		}
		if len(page.Messages) < 12 {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		for i, message := range page.Messages {
			if want := custom(byte(i+1), contentBytes); !bytes.Equal(message.Content.GetCustom().Data, want.Content.GetCustom().Data) {
				return nil, fmt.Errorf("message %d is another one", i+1)
			}
		}
		return len(page.Messages), nil
	}
}

func tooLarge(ctx context.Context, w *world) (any, error) {
	send := &msgv1.SendRequest{ConversationId: direct(1, 2), Messages: []*msgv1.OutgoingMessage{custom(1, 300_000)}}
	_, err := msgv1.NewMessageServiceClient(w.conn).Send(w.as(ctx), send)
	return outcomeOf(err), nil
}

func deadline(ctx context.Context, w *world) (any, error) {
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err := dicev1.NewDiceServiceClient(w.conn).Sleep(short, &dicev1.SleepRequest{DurationMs: 30_000})
	return outcomeOf(err).Code, nil
}

// cancellation starts more calls than the server takes at once, and cancels them before the next ones: each must have
// been let go of, or the last are refused.
func cancellation(ctx context.Context, w *world) (any, error) {
	const connections, calls = 28, 40
	seen := map[string]int{}
	for range connections {
		conn, err := dial(w.server, w.authorities)
		if err != nil {
			return nil, err
		}
		some, cancel := context.WithCancel(ctx)
		var lock sync.Mutex
		var waiting sync.WaitGroup
		for range calls {
			waiting.Go(func() {
				_, err := dicev1.NewDiceServiceClient(conn).Sleep(some, &dicev1.SleepRequest{DurationMs: 30_000})
				lock.Lock()
				defer lock.Unlock()
				seen[outcomeOf(err).Code]++
			})
		}
		time.AfterFunc(150*time.Millisecond, cancel)
		waiting.Wait()
		// The calls are let go of because they are cancelled, and not because their connection ends.
		defer conn.Close()
	}
	_, err := dicev1.NewDiceServiceClient(w.conn).Sleep(ctx, &dicev1.SleepRequest{DurationMs: 1})
	seen["then "+outcomeOf(err).Code]++
	return seen, nil
}

// details tells what refusals say besides their code.
func details(ctx context.Context, w *world) (any, error) {
	dice := dicev1.NewDiceServiceClient(w.conn)
	messages := msgv1.NewMessageServiceClient(w.conn)
	_, byBackend := dice.Roll(w.as(ctx), &dicev1.RollRequest{Sides: 1, Count: 1})
	_, noToken := dice.Roll(ctx, &dicev1.RollRequest{Sides: 6, Count: 1})
	bad := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer ey.bad.one")
	_, badToken := dice.Roll(bad, &dicev1.RollRequest{Sides: 6, Count: 1})
	_, badField := messages.Send(w.as(ctx), &msgv1.SendRequest{ConversationId: []byte{1}})
	foreign := &msgv1.SendRequest{ConversationId: direct(1, 2), Messages: []*msgv1.OutgoingMessage{custom(1, 1)}}
	_, notMember := messages.Send(w.as(ctx), foreign)
	return map[string]outcome{"byBackend": outcomeOf(byBackend), "noToken": outcomeOf(noToken),
		"badToken": outcomeOf(badToken), "badField": outcomeOf(badField), "notMember": outcomeOf(notMember)}, nil
}

func passedMetadata(ctx context.Context, w *world) (any, error) {
	traced := metadata.AppendToOutgoingContext(w.as(ctx), "traceparent",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	who, err := dicev1.NewDiceServiceClient(w.conn).WhoAmI(traced, &dicev1.WhoAmIRequest{})
	if err != nil {
		return nil, err
	}
	return map[string]any{"traceparent": who.Traceparent, "isUser": who.UserId == w.userID}, nil
}

func unimplemented(ctx context.Context, w *world) (any, error) {
	seen := map[string]string{}
	for _, method := range []string{"/nobody.v1.NobodyService/Call", "/example.dice.v1.DiceService/Nothing",
		"/example.dice.v1.DiceService/Load", "/chappe.msg.v1.MessageService/AppendMembership"} {
		err := w.conn.Invoke(w.as(ctx), method, &dicev1.LoadRequest{}, &dicev1.LoadResponse{})
		seen[method] = outcomeOf(err).Code
	}
	return seen, nil
}
