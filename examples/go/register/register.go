// Package register tells Chappe's Route that a gRPC server serves an SVID.
package register

import (
	"context"
	"fmt"
	"time"

	meshv1 "example.com/dice/gen/chappe/mesh/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Options say who registers what.
type Options struct {
	Route      string // "host:port" of a Route's gRPC port
	Identity   string
	Secret     string
	CAFile     string // PEM certificates that vouch for the Route; empty = no TLS
	InstanceID string
	Address    string // "host:port" of the gRPC server
	Service    protoreflect.ServiceDescriptor
	SVID       uint32
	OnAccepted func(*meshv1.RegistryAccepted)
}

// files are the descriptors of a file and of everything that it imports.
func files(file protoreflect.FileDescriptor, seen map[string]bool) (all [][]byte, err error) {
	if seen[file.Path()] {
		return nil, nil
	}
	seen[file.Path()] = true
	for i := range file.Imports().Len() {
		more, err := files(file.Imports().Get(i).FileDescriptor, seen)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	bytes, err := proto.Marshal(protodesc.ToFileDescriptorProto(file))
	return append(all, bytes), err
}

// Once registers, and keeps the lease until it ends. When ctx is done it drains first: calls in hand go on.
func Once(ctx context.Context, o Options) error {
	descriptors, err := files(o.Service.ParentFile(), map[string]bool{})
	if err != nil {
		return err
	}
	transport := insecure.NewCredentials()
	if o.CAFile != "" {
		if transport, err = credentials.NewClientTLSFromFile(o.CAFile, ""); err != nil {
			return err
		}
	}
	conn, err := grpc.NewClient(o.Route, grpc.WithTransportCredentials(transport))
	if err != nil {
		return err
	}
	defer conn.Close()
	lease, end := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+o.Secret))
	defer end()
	stream, err := meshv1.NewRegistryServiceClient(conn).Register(lease)
	if err != nil {
		return err
	}
	first := &meshv1.Registration{Svid: o.SVID, Service: string(o.Service.FullName()), InstanceId: o.InstanceID,
		Address: o.Address, Identity: o.Identity, Files: descriptors}
	if err := stream.Send(&meshv1.RegisterRequest{Event: &meshv1.RegisterRequest_Registration{Registration: first}}); err != nil {
		return err
	}
	outgoing := make(chan *meshv1.RegisterRequest, 1)
	go func() {
		for {
			select {
			case request := <-outgoing:
				_ = stream.Send(request)
			case <-ctx.Done():
				_ = stream.Send(&meshv1.RegisterRequest{Event: &meshv1.RegisterRequest_Drain{Drain: &meshv1.RegistryDrain{}}})
				ctx = context.Background()
			case <-lease.Done():
				return
			}
		}
	}()
	for {
		reply, err := stream.Recv()
		if err != nil {
			return err
		}
		switch event := reply.Event.(type) {
		case *meshv1.RegisterResponse_Accepted:
			o.OnAccepted(event.Accepted)
		case *meshv1.RegisterResponse_Ping:
			outgoing <- &meshv1.RegisterRequest{Event: &meshv1.RegisterRequest_Heartbeat{Heartbeat: &meshv1.RegistryHeartbeat{}}}
		case *meshv1.RegisterResponse_Drained:
			return nil
		}
	}
}

// Keep registers again whenever the lease ends, until ctx is done.
func Keep(ctx context.Context, o Options) {
	for ctx.Err() == nil {
		if err := Once(ctx, o); err != nil && ctx.Err() == nil {
			fmt.Println("registration ended:", err)
			time.Sleep(500 * time.Millisecond)
		}
	}
}
