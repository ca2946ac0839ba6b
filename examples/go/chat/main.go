// Command chat is a chat client over gRPC: keeps a session open, sends one text, prints what arrives.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"sync"
	"time"

	businessv1 "example.com/dice/gen/chappe/business/v1"
	edgev1 "example.com/dice/gen/chappe/edge/v1"
	meshv1 "example.com/dice/gen/chappe/mesh/v1"
	msgv1 "example.com/dice/gen/chappe/msg/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const deadline = 10 * time.Second

// address answers SVID and CMD of a method of SessionService, as its contract has them.
func address(method string) (uint32, uint32) {
	service := edgev1.File_chappe_edge_v1_session_proto.Services().ByName("SessionService")
	svid := proto.GetExtension(service.Options(), meshv1.E_Svid).(uint32)
	options := service.Methods().ByName(protoreflect.Name(method)).Options()
	return svid, proto.GetExtension(options, meshv1.E_Cmd).(uint32)
}

// session is a long connection; heartbeats and what main sends share it.
type session struct {
	stream grpc.BidiStreamingClient[meshv1.PacketBatch, meshv1.PacketBatch]
	lock   sync.Mutex
	calls  uint32
}

func (s *session) put(packet *meshv1.Packet) error {
	return s.stream.Send(&meshv1.PacketBatch{Packets: []*meshv1.Packet{packet}})
}

func (s *session) request(method string, message proto.Message) error {
	payload, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	svid, cmd := address(method)
	s.lock.Lock()
	defer s.lock.Unlock()
	s.calls++
	return s.put(&meshv1.Packet{
		Kind: meshv1.PacketKind_PACKET_KIND_REQUEST, Svid: svid, Cmd: cmd, Id: s.calls, Payload: payload,
	})
}

// acknowledge says that everything of the conversation up to seq is here; without it the server reminds us.
func (s *session) acknowledge(conversationID []byte, seq uint64) error {
	ack := &edgev1.ConversationAck{ConversationId: conversationID, Seq: seq}
	payload, err := proto.Marshal(&edgev1.DeliveryAck{Acks: []*edgev1.ConversationAck{ack}})
	if err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.put(&meshv1.Packet{Kind: meshv1.PacketKind_PACKET_KIND_ACK, Payload: payload})
}

// receive calls back for each packet until it answers false.
func (s *session) receive(each func(*meshv1.Packet) bool) error {
	for {
		batch, err := s.stream.Recv()
		if err != nil {
			return err
		}
		for _, packet := range batch.Packets {
			if packet.Kind == meshv1.PacketKind_PACKET_KIND_ERROR {
				detail := &meshv1.ErrorDetail{}
				_ = proto.Unmarshal(packet.Payload, detail)
				return fmt.Errorf("the server says %s", detail.Name)
			}
			if !each(packet) {
				return nil
			}
		}
	}
}

func (s *session) keepAlive(ctx context.Context, interval time.Duration) {
	for ticker := time.NewTicker(interval); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = s.request("Heartbeat", &edgev1.HeartbeatRequest{})
		}
	}
}

func directConversation(one, other uint64) []byte {
	id := binary.BigEndian.AppendUint64(nil, min(one, other))
	return binary.BigEndian.AppendUint64(id, max(one, other))
}

func send(ctx context.Context, conn *grpc.ClientConn, token string, conversationID []byte, text string) error {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), deadline)
	defer cancel()
	content := &msgv1.MessageContent{Kind: &msgv1.MessageContent_Text{Text: &msgv1.TextContent{Text: text}}}
	_, err := msgv1.NewMessageServiceClient(conn).Send(ctx, &msgv1.SendRequest{
		ConversationId: conversationID,
		Messages:       []*msgv1.OutgoingMessage{{Content: content}},
	})
	return err
}

type options struct {
	name, password, text string
	to                   uint64
	until                int
}

func signIn(ctx context.Context, conn *grpc.ClientConn, o options) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	request := &businessv1.SignInRequest{Name: o.name, Password: o.password}
	answer, err := businessv1.NewAuthServiceClient(conn).SignIn(ctx, request)
	return answer.GetTokens().GetAccessToken(), err
}

// hello opens a session; answers who the server says one is.
func hello(ctx context.Context, conn *grpc.ClientConn, token string) (*session, *edgev1.HelloResponse, error) {
	stream, err := edgev1.NewEdgeServiceClient(conn).Connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	opened, welcome := &session{stream: stream}, &edgev1.HelloResponse{}
	request := &edgev1.HelloRequest{Token: token, DeviceId: rand.Uint64()>>1 | 1, Agent: "go-example"}
	if err := opened.request("Hello", request); err != nil {
		return nil, nil, err
	}
	var wrong error
	err = opened.receive(func(packet *meshv1.Packet) bool {
		wrong = proto.Unmarshal(packet.Payload, welcome)
		return false
	})
	if err == nil {
		err = wrong
	}
	return opened, welcome, err
}

func run(ctx context.Context, conn *grpc.ClientConn, o options) error {
	token, err := signIn(ctx, conn, o)
	if err != nil {
		return err
	}
	opened, welcome, err := hello(ctx, conn, token)
	if err != nil {
		return err
	}
	go opened.keepAlive(ctx, time.Duration(welcome.HeartbeatIntervalMs)*time.Millisecond)
	fmt.Println("welcome", welcome.UserId)
	if o.to != 0 {
		if err := send(ctx, conn, token, directConversation(welcome.UserId, o.to), o.text); err != nil {
			return err
		}
		fmt.Println("durable")
	}
	arrivedOptions := (&msgv1.MessageArrived{}).ProtoReflect().Descriptor().Options()
	event := proto.GetExtension(arrivedOptions, meshv1.E_Event).(*meshv1.Event)
	heard := 0
	return opened.receive(func(packet *meshv1.Packet) bool {
		if packet.Kind != meshv1.PacketKind_PACKET_KIND_PUSH || packet.Svid != event.Svid || packet.Cmd != event.Cmd {
			return true
		}
		arrived := &msgv1.MessageArrived{}
		if proto.Unmarshal(packet.Payload, arrived) != nil || len(arrived.Messages) == 0 {
			return true
		}
		for _, message := range arrived.Messages {
			fmt.Printf("seq=%d from=%d: %s\n", message.Seq, message.SenderId, message.Content.GetText().GetText())
			if message.SenderId != welcome.UserId {
				heard++
			}
		}
		_ = opened.acknowledge(arrived.ConversationId, arrived.Messages[len(arrived.Messages)-1].Seq)
		return o.until == 0 || heard < o.until
	})
}

func main() {
	var o options
	server := flag.String("server", "127.0.0.1:9090", "gRPC port of Chappe")
	flag.StringVar(&o.name, "name", "alice", "user name")
	flag.StringVar(&o.password, "password", "telegraph", "password")
	flag.Uint64Var(&o.to, "to", 0, "user id to send to")
	flag.StringVar(&o.text, "text", "Hello from Go", "what to send")
	flag.IntVar(&o.until, "until", 0, "stop after so many messages of others; 0 = never")
	flag.Parse()
	conn, err := grpc.NewClient(*server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := run(ctx, conn, o); err != nil {
		log.Fatal(err)
	}
}
