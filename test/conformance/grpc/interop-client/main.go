// Command interop-client holds Chappe's gRPC port to what grpc-go expects of a server. It prints, for each check, what it
// saw, as one JSON object; what is right is judged by the test that runs it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	meshv1 "example.com/dice/gen/chappe/mesh/v1"
)

// world is what a check works with.
type world struct {
	server      string
	authorities string
	conn        *grpc.ClientConn
	token       string
	userID      uint64
}

// check answers what it saw, as a value for JSON.
type check func(context.Context, *world) (any, error)

// outcome of a call: its status code, and Chappe's own error in the status details.
type outcome struct {
	Code   string   `json:"code"`
	Name   string   `json:"name,omitempty"`
	Fields []string `json:"fields,omitempty"`
}

func outcomeOf(err error) outcome {
	result := status.Convert(err)
	seen := outcome{Code: result.Code().String()}
	for _, detail := range result.Details() {
		if own, ok := detail.(*meshv1.ErrorDetail); ok {
			seen.Name = own.Name
			for _, violation := range own.Violations {
				seen.Fields = append(seen.Fields, violation.Field)
			}
		}
	}
	return seen
}

// dial connects in clear text, or with TLS when a file of authorities is named.
func dial(server, authorities string) (*grpc.ClientConn, error) {
	if authorities == "" {
		return grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	tls, err := credentials.NewClientTLSFromFile(authorities, "")
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(server, grpc.WithTransportCredentials(tls))
}

func (w *world) as(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+w.token)
}

func main() {
	server := flag.String("server", "127.0.0.1:9090", "gRPC port of Chappe")
	token := flag.String("token", "", "access token")
	userID := flag.Uint64("user", 0, "its user")
	authorities := flag.String("ca", "", "PEM file of authorities; empty = clear text")
	only := flag.String("only", "", "names of the checks to run, with commas; empty = all")
	flag.Parse()
	conn, err := dial(*server, *authorities)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	w := &world{server: *server, authorities: *authorities, conn: conn, token: *token, userID: *userID}
	checks := map[string]check{
		"health": health, "large": large, "tooLarge": tooLarge, "deadline": deadline, "cancellation": cancellation,
		"details": details, "metadata": passedMetadata, "unimplemented": unimplemented, "session": session,
		"refusedSession": refusedSession, "frameTooLarge": frameTooLarge, "streamLimit": streamLimit,
		"rawDeadline": rawDeadline,
	}
	seen := map[string]any{}
	for name, run := range checks {
		if *only != "" && !strings.Contains(","+*only+",", ","+name+",") {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if seen[name], err = run(ctx, w); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		cancel()
	}
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		log.Fatal(err)
	}
}
