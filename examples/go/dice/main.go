// Command dice is an ordinary gRPC server that registers itself with Chappe.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	meshv1 "example.com/dice/gen/chappe/mesh/v1"
	dicev1 "example.com/dice/gen/example/dice/v1"
	"example.com/dice/register"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type server struct {
	dicev1.UnimplementedDiceServiceServer
	instanceID string
	thrown     atomic.Uint64
}

func (s *server) Roll(_ context.Context, request *dicev1.RollRequest) (*dicev1.RollResponse, error) {
	if request.Sides < 2 || request.Sides > 1000 || request.Count < 1 || request.Count > 100 {
		return nil, status.Error(codes.InvalidArgument, "sides must be 2 to 1000, count 1 to 100")
	}
	values := make([]uint32, request.Count)
	for i := range values {
		values[i] = 1 + rand.Uint32N(request.Sides)
	}
	s.thrown.Add(uint64(request.Count))
	return &dicev1.RollResponse{Values: values}, nil
}

func (s *server) WhoAmI(ctx context.Context, _ *dicev1.WhoAmIRequest) (*dicev1.WhoAmIResponse, error) {
	incoming, _ := metadata.FromIncomingContext(ctx)
	header := func(name string) string {
		if values := incoming.Get(name); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	userID, _ := strconv.ParseUint(header("chappe-user-id"), 10, 64)
	deadline, _ := ctx.Deadline()
	return &dicev1.WhoAmIResponse{UserId: userID, Kind: header("chappe-kind"), Traceparent: header("traceparent"),
		RemainingMs: time.Until(deadline).Milliseconds(), InstanceId: s.instanceID, Language: "go",
		Connection: header("chappe-connection")}, nil
}

func (s *server) Sleep(ctx context.Context, request *dicev1.SleepRequest) (*dicev1.SleepResponse, error) {
	select {
	case <-time.After(time.Duration(min(request.DurationMs, 60_000)) * time.Millisecond):
		return &dicev1.SleepResponse{}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func (s *server) Load(context.Context, *dicev1.LoadRequest) (*dicev1.LoadResponse, error) {
	return &dicev1.LoadResponse{Thrown: s.thrown.Load()}, nil
}

func main() {
	route := flag.String("route", "127.0.0.1:9090", "gRPC port of Chappe; the registration ports of all Routes, with commas, when there are several")
	secret := flag.String("secret", "telegraph", "secret of the identity")
	ca := flag.String("ca", "", "PEM certificates that vouch for the Routes; none = no TLS")
	identity := flag.String("identity", "dev", "who registers")
	instance := flag.String("instance", fmt.Sprintf("go-%d", os.Getpid()), "unique among the servers of the SVID")
	port := flag.Int("port", 0, "where to listen on 127.0.0.1; 0 = any free port")
	once := flag.Bool("once", false, "stop when the lease ends")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	grpcServer := grpc.NewServer()
	dicev1.RegisterDiceServiceServer(grpcServer, &server{instanceID: *instance})
	go grpcServer.Serve(listener)

	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	options := register.Options{
		Identity: *identity, Secret: *secret, CAFile: *ca, InstanceID: *instance, Address: listener.Addr().String(),
		Service: dicev1.File_example_dice_v1_dice_service_proto.Services().ByName("DiceService"), SVID: 1000,
		OnAccepted: func(accepted *meshv1.RegistryAccepted) { fmt.Println("registered", accepted.ContractHash) },
	}
	var leases sync.WaitGroup
	for at := range strings.SplitSeq(*route, ",") {
		options.Route = at
		one := options
		leases.Go(func() {
			if !*once {
				register.Keep(stop, one)
			} else if err := register.Once(stop, one); err != nil {
				fmt.Println("refused:", err)
				os.Exit(1)
			}
		})
	}
	leases.Wait()
	grpcServer.GracefulStop()
}
