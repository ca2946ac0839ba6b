// Command client calls DiceService through Chappe's gRPC port, as any generated gRPC client does.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	dicev1 "example.com/dice/gen/example/dice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

func main() {
	server := flag.String("server", "127.0.0.1:9090", "gRPC port of Chappe")
	token := flag.String("token", "", "access token")
	flag.Parse()
	conn, err := grpc.NewClient(*server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if *token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+*token)
	}
	dice := dicev1.NewDiceServiceClient(conn)
	who, err := dice.WhoAmI(ctx, &dicev1.WhoAmIRequest{})
	if err != nil {
		log.Fatal(err)
	}
	rolled, err := dice.Roll(ctx, &dicev1.RollRequest{Sides: 6, Count: 3})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("user=%d kind=%s language=%s rolled=%d\n", who.UserId, who.Kind, who.Language, len(rolled.Values))
}
