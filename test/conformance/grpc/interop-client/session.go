package main

import (
	"context"
	"errors"
	"io"

	edgev1 "example.com/dice/gen/chappe/edge/v1"
	meshv1 "example.com/dice/gen/chappe/mesh/v1"
	dicev1 "example.com/dice/gen/example/dice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

type stream = grpc.BidiStreamingClient[meshv1.PacketBatch, meshv1.PacketBatch]

const calls = 200

func request(id, svid, cmd uint32, message proto.Message) *meshv1.Packet {
	payload, err := proto.Marshal(message)
	if err != nil {
		panic(err)
	}
	return &meshv1.Packet{Kind: meshv1.PacketKind_PACKET_KIND_REQUEST, Svid: svid, Cmd: cmd, Id: id, Payload: payload}
}

func open(ctx context.Context, w *world, token string) (stream, error) {
	opened, err := edgev1.NewEdgeServiceClient(w.conn).Connect(ctx)
	if err != nil {
		return nil, err
	}
	hello := request(1, 1, 1, &edgev1.HelloRequest{Token: token, DeviceId: 7})
	return opened, opened.Send(&meshv1.PacketBatch{Packets: []*meshv1.Packet{hello}})
}

// read gathers packets until `enough` says so, or the stream ends.
func read(from stream, enough func(*meshv1.Packet) bool) ([]*meshv1.Packet, error) {
	var packets []*meshv1.Packet
	for {
		batch, err := from.Recv()
		if err != nil {
			return packets, err
		}
		for _, packet := range batch.Packets {
			packets = append(packets, packet)
			if enough(packet) {
				return packets, nil
			}
		}
	}
}

func never(*meshv1.Packet) bool { return false }

// session says Hello, makes many calls at once, and ends its side.
func session(ctx context.Context, w *world) (any, error) {
	opened, err := open(ctx, w, w.token)
	if err != nil {
		return nil, err
	}
	welcome, err := read(opened, func(packet *meshv1.Packet) bool { return packet.Id == 1 })
	if err != nil {
		return nil, err
	}
	answer := &edgev1.HelloResponse{}
	if err := proto.Unmarshal(welcome[0].Payload, answer); err != nil {
		return nil, err
	}
	batch := &meshv1.PacketBatch{}
	for i := range uint32(calls) {
		batch.Packets = append(batch.Packets, request(100+i, 1000, 2, &dicev1.WhoAmIRequest{}))
	}
	if err := opened.Send(batch); err != nil {
		return nil, err
	}
	answered := map[uint32]bool{}
	if _, err := read(opened, func(packet *meshv1.Packet) bool {
		who := &dicev1.WhoAmIResponse{}
		isMine := packet.Kind == meshv1.PacketKind_PACKET_KIND_RESPONSE && proto.Unmarshal(packet.Payload, who) == nil
		if isMine && who.UserId == w.userID && who.Connection != "" {
			answered[packet.Id] = true
		}
		return len(answered) == calls
	}); err != nil {
		return nil, err
	}
	if err := opened.CloseSend(); err != nil {
		return nil, err
	}
	_, err = read(opened, never)
	return map[string]any{"isUser": answer.UserId == w.userID, "answered": len(answered),
		"endsWell": errors.Is(err, io.EOF)}, nil
}

// lastWords tells how a session ended: packets as "kind cmd", then the status of the stream.
func lastWords(from stream) []string {
	packets, err := read(from, never)
	var seen []string
	for _, packet := range packets {
		detail := &meshv1.ErrorDetail{}
		if packet.Kind == meshv1.PacketKind_PACKET_KIND_ERROR && proto.Unmarshal(packet.Payload, detail) == nil {
			seen = append(seen, detail.Name)
		}
	}
	return append(seen, outcomeOf(err).Code)
}

func refusedSession(ctx context.Context, w *world) (any, error) {
	opened, err := open(ctx, w, "ey.bad.one")
	if err != nil {
		return nil, err
	}
	return lastWords(opened), nil
}

func frameTooLarge(ctx context.Context, w *world) (any, error) {
	opened, err := open(ctx, w, w.token)
	if err != nil {
		return nil, err
	}
	if _, err := read(opened, func(packet *meshv1.Packet) bool { return packet.Id == 1 }); err != nil {
		return nil, err
	}
	large := &meshv1.Packet{Kind: meshv1.PacketKind_PACKET_KIND_REQUEST, Svid: 1, Cmd: 2, Id: 2, Payload: make([]byte, 70_000)}
	if err := opened.Send(&meshv1.PacketBatch{Packets: []*meshv1.Packet{large}}); err != nil {
		return nil, err
	}
	return lastWords(opened), nil
}
