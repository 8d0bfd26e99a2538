package rdstest

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Instance is the way to a PostgreSQL for who has a token, over TLS. Behind it, who signs in as a user of RDS is the
// PostgreSQL's user that Connect signs in.
type Instance struct {
	Address string // "host:port"
	CAPEM   []byte

	tls     *tls.Config
	check   Checker
	connect func(ctx context.Context, user, database string) (*pgconn.PgConn, error)

	mu       sync.Mutex
	accepted []string
	refused  []error
}

// Start serves until the test ends. connect signs in at the PostgreSQL behind it.
func Start(t testing.TB, check Checker, connect func(ctx context.Context, user, database string) (*pgconn.PgConn, error)) *Instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certified := httptest.NewTLSServer(nil) // for its certificate
	certified.Close()
	check.Endpoint = l.Addr().String()
	in := &Instance{
		Address: check.Endpoint, check: check, connect: connect,
		CAPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}),
		tls:   &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12},
	}
	var open sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { in.serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		open.Wait()
	})
	return in
}

// Accepted are the users that signed in.
func (in *Instance) Accepted() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.accepted
}

// Refused says why others did not.
func (in *Instance) Refused() []error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.refused
}

func (in *Instance) serve(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	request := make([]byte, 8) // SSLRequest: nothing is said in clear
	if _, err := io.ReadFull(raw, request); err != nil {
		return
	}
	if _, err := raw.Write([]byte("S")); err != nil {
		return
	}
	conn := tls.Server(raw, in.tls)
	client := pgproto3.NewBackend(conn, conn)
	start, err := in.signIn(client)
	if err != nil {
		in.mu.Lock()
		in.refused = append(in.refused, err)
		in.mu.Unlock()
		client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: "PAM authentication failed for user"})
		_ = client.Flush()
		return
	}
	in.mu.Lock()
	in.accepted = append(in.accepted, start.Parameters["user"])
	in.mu.Unlock()
	in.pass(ctx, conn, client, start)
}

func (in *Instance) signIn(client *pgproto3.Backend) (*pgproto3.StartupMessage, error) {
	message, err := client.ReceiveStartupMessage()
	if err != nil {
		return nil, err
	}
	start, ok := message.(*pgproto3.StartupMessage)
	if !ok {
		return nil, fmt.Errorf("it begins with %T", message)
	}
	client.Send(&pgproto3.AuthenticationCleartextPassword{})
	if err := client.Flush(); err != nil {
		return nil, err
	}
	if err := client.SetAuthType(pgproto3.AuthTypeCleartextPassword); err != nil {
		return nil, err
	}
	answer, err := client.Receive()
	if err != nil {
		return nil, err
	}
	password, ok := answer.(*pgproto3.PasswordMessage)
	if !ok {
		return nil, errors.New("it sends no password")
	}
	return start, in.check.Check(start.Parameters["user"], password.Password)
}

// pass connects who signed in with the PostgreSQL.
func (in *Instance) pass(ctx context.Context, conn net.Conn, client *pgproto3.Backend, start *pgproto3.StartupMessage) {
	server, err := in.connect(ctx, start.Parameters["user"], start.Parameters["database"])
	if err != nil {
		client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08006", Message: err.Error()})
		_ = client.Flush()
		return
	}
	behind, err := server.Hijack()
	if err != nil {
		return
	}
	defer behind.Conn.Close()
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range behind.ParameterStatuses {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.BackendKeyData{ProcessID: behind.PID, SecretKey: behind.SecretKey})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: behind.TxStatus})
	if client.Flush() != nil {
		return
	}
	go func() {
		_, _ = io.Copy(behind.Conn, conn)
		_ = behind.Conn.Close()
	}()
	_, _ = io.Copy(conn, behind.Conn)
}
