package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// hostile listens on loopback and gives every connection to serve.
func hostile(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// identity returns a CA and a server's TLS configuration under it.
func identity(t *testing.T) (ca []byte, config *tls.Config) {
	t.Helper()
	ca, cert, key, err := certificates()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return ca, &tls.Config{Certificates: []tls.Certificate{pair}}
}

// acceptTLS plays a server up to the client's startup message.
func acceptTLS(conn net.Conn, config *tls.Config) (net.Conn, error) {
	if _, err := pgwire.ReadStartup(conn); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{'S'}); err != nil {
		return nil, err
	}
	secure := tls.Server(conn, config)
	_, err := pgwire.ReadStartup(secure)
	return secure, err
}

func send(conn net.Conn, messages ...pgwire.Message) {
	if frames, err := pgwire.AppendAll(nil, messages...); err == nil {
		_, _ = conn.Write(frames)
	}
}

func readPassword(conn net.Conn) string {
	_, body, err := pgwire.NewFrontendReader(conn, pgwire.Options{}).Next()
	if err != nil {
		return ""
	}
	var m pgwire.PasswordMessage
	_ = m.Decode(body)
	return string(m.Password)
}

func TestHostileServers(t *testing.T) {
	ca, config := identity(t)
	overTLS := func(play func(net.Conn)) func(net.Conn) {
		return func(raw net.Conn) {
			if conn, err := acceptTLS(raw, config); err == nil {
				play(conn)
			}
		}
	}
	cleartext := &pgwire.Authentication{Kind: pgwire.AuthCleartext}
	ok := &pgwire.Authentication{Kind: pgwire.AuthOK}
	idle := &pgwire.ReadyForQuery{Status: pgwire.TxIdle}
	tests := []struct {
		name  string
		serve func(net.Conn)
		want  error
	}{
		{"no TLS", func(c net.Conn) {
			_, _ = pgwire.ReadStartup(c)
			_, _ = c.Write([]byte{'N'})
			_, _ = io.Copy(io.Discard, c)
		}, ErrTLS},
		{"an answer in the clear before TLS", func(c net.Conn) {
			_, _ = pgwire.ReadStartup(c)
			_, _ = c.Write([]byte{'S'})
			send(c, ok, idle)
			_, _ = io.Copy(io.Discard, c)
		}, ErrTLS},
		{"hangs up", func(net.Conn) {}, ErrUnreachable},
		{"repeats the password", overTLS(func(c net.Conn) {
			send(c, cleartext)
			send(c, &pgwire.ErrorResponse{Diagnostic: pgwire.Diagnostic{Severity: pgwire.SeverityFatal, Code: "28P01", Message: "no: " + readPassword(c) + strings.Repeat("x", 1<<16)}})
		}), ErrAuth},
		{"is full", overTLS(func(c net.Conn) {
			send(c, &pgwire.ErrorResponse{Diagnostic: pgwire.Diagnostic{Severity: pgwire.SeverityFatal, Code: pgwire.StateTooManyConnections, Message: "full"}})
		}), ErrUnreachable},
		{"ready before authentication", overTLS(func(c net.Conn) {
			send(c, idle)
			_, _ = io.Copy(io.Discard, c)
		}), ErrAuth},
		{"wants GSS", overTLS(func(c net.Conn) {
			send(c, &pgwire.Authentication{Kind: pgwire.AuthGSS})
			_, _ = io.Copy(io.Discard, c)
		}), ErrAuth},
		{"claims SCRAM without knowing the password", overTLS(func(c net.Conn) {
			send(c, &pgwire.Authentication{Kind: pgwire.AuthSASL, Mechanisms: []string{"SCRAM-SHA-256"}})
			_, _, _ = pgwire.NewFrontendReader(c, pgwire.Options{}).Next()
			send(c, &pgwire.Authentication{Kind: pgwire.AuthSASLFinal, Data: []byte("v=AAAA")}, ok, idle)
			_, _ = io.Copy(io.Discard, c)
		}), ErrAuth},
		{"a message of 1 GiB", overTLS(func(c net.Conn) {
			_, _ = c.Write([]byte("S\x3f\xff\xff\xff"))
			_, _ = io.Copy(io.Discard, c)
		}), nil},
	}
	for _, tt := range tests {
		d := newDialer(t, Config{Timeout: 20 * time.Second})
		_, err := d.Dial(testContext(t), Target{
			Address: hostile(t, tt.serve), Database: "d", User: "u", Password: Secret("hunter2"),
			TLS: TLS{CAPEM: ca, ServerName: serverName}, AllowLoopback: true,
		})
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 2*maxMessage) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestDialGivesUp(t *testing.T) {
	address := hostile(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	target := Target{Address: address, Database: "d", User: "u", AllowLoopback: true}
	_, err := newDialer(t, Config{Timeout: 50 * time.Millisecond}).Dial(context.Background(), target)
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newDialer(t, Config{}).Dial(ctx, target); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What the server says behind its last startup message is not lost and not left in
// the driver.
func TestDialSettlesBeforeHandingOver(t *testing.T) {
	ca, config := identity(t)
	key := &pgwire.BackendKeyData{ProcessID: 7, SecretKey: []byte("0123456789abcdef")}
	early := &pgwire.ParameterStatus{Name: "is_superuser", Value: "off"}
	late := &pgwire.ParameterStatus{Name: "is_superuser", Value: "on"}
	ok := &pgwire.Authentication{Kind: pgwire.AuthOK}
	idle := &pgwire.ReadyForQuery{Status: pgwire.TxIdle}
	address := hostile(t, func(raw net.Conn) {
		conn, err := acceptTLS(raw, config)
		if err != nil {
			return
		}
		send(conn, ok, key, early, idle, late)
		r := pgwire.NewFrontendReader(conn, pgwire.Options{})
		r.Authenticated()
		for {
			if _, _, err := r.Next(); err != nil {
				return
			}
			_, _ = conn.Write(pgwire.AppendEmpty(nil, pgwire.TypeEmptyQueryResponse))
			send(conn, idle)
		}
	})
	conn, err := newDialer(t, Config{}).Dial(testContext(t), Target{
		Address: address, Database: "d", User: "u", TLS: TLS{CAPEM: ca, ServerName: serverName}, AllowLoopback: true, MaxProtocol: "3.2",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Parameters["is_superuser"] != "on" {
		t.Error("the late status is lost")
	}
	if conn.PID != 7 || string(conn.SecretKey) != "0123456789abcdef" {
		t.Errorf("key %d %q", conn.PID, conn.SecretKey)
	}
	if _, err := conn.Write(pgwire.AppendEmpty(nil, pgwire.TypeSync)); err != nil {
		t.Fatal(err)
	}
	r := pgwire.NewBackendReader(conn, pgwire.Options{})
	r.Authenticated()
	if typ, _, err := r.Next(); typ != pgwire.TypeEmptyQueryResponse || err != nil {
		t.Errorf("the first message is %q, %v", typ, err)
	}
}

func TestCancelNeedsTheSameIdentity(t *testing.T) {
	ca, config := identity(t)
	_, other := identity(t)
	got := make(chan pgwire.Startup, 1)
	connections := make(chan int, 1)
	connections <- 0
	address := hostile(t, func(raw net.Conn) {
		n := <-connections
		connections <- n + 1
		if n == 1 { // the second connection is somebody else's
			secure, err := acceptTLS(raw, other)
			if err == nil {
				got <- pgwire.SSLRequest{}
				secure.Close()
			}
			return
		}
		if n == 2 {
			if _, err := pgwire.ReadStartup(raw); err != nil {
				return
			}
			_, _ = raw.Write([]byte{'S'})
			if m, err := pgwire.ReadStartup(tls.Server(raw, config)); err == nil {
				got <- m
			}
			return
		}
		if conn, err := acceptTLS(raw, config); err == nil {
			send(conn, &pgwire.Authentication{Kind: pgwire.AuthOK}, &pgwire.BackendKeyData{ProcessID: 7, SecretKey: []byte("abcd")},
				&pgwire.ReadyForQuery{Status: pgwire.TxIdle})
			_, _ = io.Copy(io.Discard, conn)
		}
	})
	conn, err := newDialer(t, Config{}).Dial(testContext(t), Target{
		Address: address, Database: "d", User: "u", TLS: TLS{CAPEM: ca, ServerName: serverName}, AllowLoopback: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Cancel(testContext(t)); !errors.Is(err, ErrTLS) {
		t.Errorf("an impostor got the key: %v", err)
	}
	if err := conn.Cancel(testContext(t)); err != nil {
		t.Fatal(err)
	}
	var request *pgwire.CancelRequest
	select {
	case m := <-got:
		request, _ = m.(*pgwire.CancelRequest)
	case <-testContext(t).Done():
	}
	if request == nil || request.ProcessID != 7 || string(request.SecretKey) != "abcd" {
		t.Errorf("the server got %+v", request)
	}
}
