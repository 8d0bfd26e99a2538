package clitest

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Login is what one client signed in to the edge with.
type Login struct {
	Params   map[string]string
	Password string
}

// Edge is a fake edge: TLS only, a cleartext question for the access token, and a few queries. "whoami" answers with
// user, database and application, "wait" blocks until it is cancelled, "end" ends the session with an error. Any other
// text is answered with itself.
type Edge struct {
	// Addr is its "host:port".
	Addr string

	control *ControlPlane
	tls     *tls.Config

	mu      sync.Mutex
	logins  []Login
	waiting map[uint32]chan struct{} // by process id
}

// StartEdge serves a fake edge of c until the test ends, and has c name it in its tokens.
func StartEdge(t testing.TB, c *ControlPlane) *Edge {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &Edge{
		Addr: ln.Addr().String(), control: c, waiting: map[uint32]chan struct{}{},
		tls: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.authority.leaf}, NextProtos: []string{"postgresql"}},
	}
	var open sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		open.Wait()
	})
	open.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				e.serve(conn)
			})
		}
	})
	c.AddEndpoint(e.Addr)
	return e
}

// Logins are the sign-ins so far, refused ones among them.
func (e *Edge) Logins() []Login {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Login(nil), e.logins...)
}

func (e *Edge) serve(raw net.Conn) {
	first, err := pgproto3.NewBackend(oneByOne{raw}, raw).ReceiveStartupMessage()
	if _, ok := first.(*pgproto3.SSLRequest); err != nil || !ok {
		return // nothing is said in the clear
	}
	if _, err := raw.Write([]byte{'S'}); err != nil {
		return
	}
	conn := tls.Server(raw, e.tls)
	b := pgproto3.NewBackend(conn, conn)
	first, err = b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	switch m := first.(type) {
	case *pgproto3.CancelRequest:
		e.cancel(m)
		conn.Close()
	case *pgproto3.StartupMessage:
		e.session(b, m)
		conn.Close()
	}
}

// oneByOne keeps the reader of the first message from taking the TLS handshake with it.
type oneByOne struct{ r io.Reader }

func (o oneByOne) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

func (e *Edge) cancel(m *pgproto3.CancelRequest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := e.waiting[m.ProcessID]; w != nil && string(m.SecretKey) == "key!" {
		close(w)
		delete(e.waiting, m.ProcessID)
	}
}

func (e *Edge) session(b *pgproto3.Backend, start *pgproto3.StartupMessage) {
	b.Send(&pgproto3.AuthenticationCleartextPassword{})
	if b.Flush() != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	m, err := b.Receive()
	answer, ok := m.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return
	}
	e.mu.Lock()
	e.logins = append(e.logins, Login{Params: start.Parameters, Password: answer.Password})
	process := uint32(len(e.logins))
	e.mu.Unlock()
	if !e.control.Valid(answer.Password) {
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: "the grant has ended", Hint: "file a request"})
		_ = b.Flush()
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "17.0"})
	b.Send(&pgproto3.BackendKeyData{ProcessID: process, SecretKey: []byte("key!")})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for b.Flush() == nil {
		m, err := b.Receive()
		q, ok := m.(*pgproto3.Query)
		if err != nil || !ok || !e.query(b, q.String, process, start.Parameters) {
			return
		}
	}
}

// query answers one query and says whether the session goes on.
func (e *Edge) query(b *pgproto3.Backend, text string, process uint32, params map[string]string) bool {
	switch text = strings.TrimSuffix(strings.TrimSpace(text), ";"); text {
	case "whoami":
		row(b, params["user"]+"|"+params["database"]+"|"+params["application_name"])
	case "end":
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "the session was ended"})
		_ = b.Flush()
		return false
	case "wait":
		w := make(chan struct{})
		e.mu.Lock()
		e.waiting[process] = w
		e.mu.Unlock()
		b.Send(&pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: "waiting"})
		_ = b.Flush()
		<-w
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "cancelled"})
	default:
		row(b, text)
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return true
}

func row(b *pgproto3.Backend, value string) {
	b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("value"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
	b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(value)}})
	b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
}
