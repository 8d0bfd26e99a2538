// Package stream carries exec, attach and port-forward connections between Kubernetes clients and the API server. It
// ends both sides and passes on message by message, so that its caller sees, changes, records and cuts everything. It
// knows no policy: what may be done is decided before it is called, and in the caller's [Tap] and [Forwarder].
package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// What a connection ended with, when not as the target meant it to.
var (
	// ErrClient says that the client broke the protocol or asked for what is not offered.
	ErrClient = errors.New("not understood")
	// ErrTarget says that the API server broke the protocol, or ended the connection in the middle.
	ErrTarget = errors.New("the API server broke off")
	// ErrUnreachable says that there was no answer from the API server.
	ErrUnreachable = errors.New("the API server cannot be reached")
	// ErrGone says that the client went away before the command had ended.
	ErrGone = errors.New("the client went away")
	// ErrIdle says that nothing came over the connection for Config.Idle.
	ErrIdle = errors.New("the connection was idle for too long")
	// ErrInternal says that the code that looks at a connection failed. Nothing was passed on.
	ErrInternal = errors.New("internal error, the connection was cut")
)

// Config says how connections behave. The zero value has the defaults.
type Config struct {
	// Idle ends a connection over which nothing came, not even a ping. Default: 4 hours, as the kubelet does.
	Idle time.Duration
	// Settle is the pause in the output after which Tap.Flush is called. Default: 50 ms.
	Settle time.Duration
	// Handshake limits dialling the API server and waiting for its answer to an upgrade. Default: 30 s.
	Handshake time.Duration
}

// Proxy carries connections. It is safe for concurrent use.
type Proxy struct{ cfg Config }

// New returns a Proxy.
func New(cfg Config) *Proxy {
	if cfg.Idle <= 0 {
		cfg.Idle = 4 * time.Hour
	}
	if cfg.Settle <= 0 {
		cfg.Settle = 50 * time.Millisecond
	}
	if cfg.Handshake <= 0 {
		cfg.Handshake = 30 * time.Second
	}
	return &Proxy{cfg: cfg}
}

// Upstream reaches the API server for one connection.
type Upstream struct {
	// Dial returns a connection to the API server, with TLS and HTTP/1.1 where the server is so.
	Dial func(ctx context.Context) (net.Conn, error)
	// Host is the Host header. URI is path and query, as they are sent. Method is the client's: GET for WebSocket, POST
	// or GET for SPDY.
	Host, URI, Method string
	// Header is what signs in and impersonates. What upgrades the connection is added to it.
	Header http.Header
}

// Tap looks at one exec or attach. Input and Resize are called by one goroutine, Output and Flush by one at a time; none
// is called after Exec has returned. An error ends the connection, and its text is what the person sees.
type Tap interface {
	// Input sees what the client sends to stdin, before it is passed on. p is valid during the call.
	Input(p []byte) error
	// Output gets what the target sent to "stdout" or "stderr", and returns what the client sees of it. p is valid during
	// the call; what is returned must stay as it is until the next call.
	Output(stream string, p []byte) ([]byte, error)
	// Flush returns what Output kept back. It is called in a pause, and at the end.
	Flush(stream string) []byte
	// Resize sees a new size of the terminal.
	Resize(cols, rows uint16)
}

// Result is how an exec or attach went.
type Result struct {
	// Reported says that the target told how the command ended, with ExitCode and Message. ExitCode is -1 for an end that
	// is not an exit. Message may hold what the container runtime said, and is at most 64 KiB.
	Reported bool
	ExitCode int
	Message  string
	// Stdin is how many bytes were passed on, Stdout and Stderr how many the target sent.
	Stdin, Stdout, Stderr int64
}

// Forwarder decides about the ports of one port-forward.
type Forwarder interface {
	// Open decides about one connection to port before anything reaches it. An error is told to the client on that
	// connection's error stream; the others go on. ctx ends with the client's connection. Calls may overlap.
	Open(ctx context.Context, port uint16) (Port, error)
}

// Port is told about one connection through a port-forward. Close is called exactly once, after the other calls.
type Port interface {
	// Sent counts bytes from the client, before they are passed on; Received those from the target. They may overlap.
	Sent(n int)
	Received(n int)
	// Close says that the connection has ended, with nil when both sides were done or one closed it.
	Close(err error)
}

// Traffic is how a port-forward went.
type Traffic struct {
	// Sent is how many bytes went to the target, Received how many came from it.
	Sent, Received int64
}

// Refused is the API server's own refusal to upgrade, which the client got as it was written.
type Refused struct {
	// Code is the HTTP status, and Message what the Status object said, if it was one.
	Code    int
	Message string

	answer answer
}

func (r *Refused) Error() string {
	if r.Message == "" {
		return fmt.Sprintf("the API server refused with status %d", r.Code)
	}
	return fmt.Sprintf("the API server refused with status %d: %s", r.Code, r.Message)
}
