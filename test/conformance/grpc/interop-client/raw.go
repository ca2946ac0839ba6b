package main

import (
	"bytes"
	"context"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw speaks HTTP/2 by single frames: a client that does not keep the limits it is told.
type raw struct {
	*http2.Framer
	conn    net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
	// streams that the server said it takes at once
	streams uint32
}

func openRaw(ctx context.Context, server string) (*raw, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	client := &raw{Framer: http2.NewFramer(conn, conn), conn: conn}
	client.encoder = hpack.NewEncoder(&client.block)
	client.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	return client, client.WriteSettings()
}

// post opens a stream, and leaves it open.
func (c *raw) post(stream uint32, path string, more ...string) error {
	c.block.Reset()
	fields := append([]string{":method", "POST", ":scheme", "http", ":path", path, ":authority", "interop",
		"content-type", "application/grpc", "te", "trailers"}, more...)
	for i := 0; i < len(fields); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndHeaders: true})
}

// until reads frames until one is what is waited for; settings and pings are answered.
func (c *raw) until(found func(http2.Frame) bool) error {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return err
		}
		switch one := frame.(type) {
		case *http2.SettingsFrame:
			if value, ok := one.Value(http2.SettingMaxConcurrentStreams); ok {
				c.streams = value
			}
			if !one.IsAck() {
				err = c.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !one.IsAck() {
				err = c.WritePing(true, one.Data)
			}
		}
		if err != nil || found(frame) {
			return err
		}
	}
}

// streamLimit opens one session more than the server takes on one connection.
func streamLimit(ctx context.Context, w *world) (any, error) {
	client, err := openRaw(ctx, w.server)
	if err != nil {
		return nil, err
	}
	defer client.conn.Close()
	settled := func(frame http2.Frame) bool {
		settings, ok := frame.(*http2.SettingsFrame)
		return ok && !settings.IsAck()
	}
	if err := client.until(settled); err != nil {
		return nil, err
	}
	for i := range client.streams + 1 {
		if err := client.post(1+2*i, "/chappe.edge.v1.EdgeService/Connect"); err != nil {
			return nil, err
		}
	}
	seen := map[string]any{"announced": client.streams}
	// Who opens more streams than were announced has heard it: that is an error of the connection.
	err = client.until(func(frame http2.Frame) bool {
		end, ok := frame.(*http2.GoAwayFrame)
		if ok {
			seen["taken"], seen["ended"] = (end.LastStreamID+1)/2, end.ErrCode.String()
		}
		return ok
	})
	return seen, err
}

// rawDeadline asks for a deadline that it does not keep itself: the server has to.
func rawDeadline(ctx context.Context, w *world) (any, error) {
	client, err := openRaw(ctx, w.server)
	if err != nil {
		return nil, err
	}
	defer client.conn.Close()
	if err := client.post(1, "/example.dice.v1.DiceService/Sleep", "grpc-timeout", "300m"); err != nil {
		return nil, err
	}
	// SleepRequest{DurationMs: 30_000} in a gRPC frame.
	if err := client.WriteData(1, true, []byte{0, 0, 0, 0, 4, 0x08, 0xb0, 0xea, 0x01}); err != nil {
		return nil, err
	}
	status := ""
	err = client.until(func(frame http2.Frame) bool {
		headers, ok := frame.(*http2.MetaHeadersFrame)
		if ok {
			for _, field := range headers.Fields {
				if field.Name == "grpc-status" {
					status = field.Value
				}
			}
		}
		return status != ""
	})
	return status, err
}
