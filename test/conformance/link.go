package conformance

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Timeout bounds one exchange. What takes longer is a hang.
const Timeout = 10 * time.Second

// ErrHang is an exchange that did not end in time.
var ErrHang = errors.New("no answer in time")

// Message is one message of the server as it came.
type Message struct {
	Type byte
	Body []byte
}

// Link is a signed-in connection on which messages are written and read as they are.
type Link struct {
	conn net.Conn
	in   *bufio.Reader
	PID  uint32
	Key  []byte
	// Tx is the transaction status of the latest ReadyForQuery.
	Tx byte
}

// Dial signs in and takes the connection over.
func Dial(ctx context.Context, dsn string) (*Link, error) {
	pc, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	h, err := pc.Hijack()
	if err != nil {
		return nil, fmt.Errorf("take connection over: %w", err)
	}
	return &Link{conn: h.Conn, in: bufio.NewReaderSize(h.Conn, 64<<10), PID: h.PID, Key: h.SecretKey, Tx: 'I'}, nil
}

// Close hangs up.
func (l *Link) Close() error { return l.conn.Close() }

// Send writes messages in one go.
func (l *Link) Send(messages ...pgproto3.FrontendMessage) error {
	var buf []byte
	var err error
	for _, m := range messages {
		if buf, err = m.Encode(buf); err != nil {
			return fmt.Errorf("encode: %w", err)
		}
	}
	l.conn.SetWriteDeadline(time.Now().Add(Timeout))
	if _, err := l.conn.Write(buf); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Receive reads one message.
func (l *Link) Receive() (Message, error) {
	l.conn.SetReadDeadline(time.Now().Add(Timeout))
	var head [5]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return Message{}, hang(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	if _, err := io.ReadFull(l.in, body); err != nil {
		return Message{}, hang(err)
	}
	if head[0] == 'Z' && len(body) == 1 {
		l.Tx = body[0]
	}
	return Message{Type: head[0], Body: body}, nil
}

func hang(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrHang
	}
	return fmt.Errorf("receive: %w", err)
}

// Finish reads up to ReadyForQuery. rows is asked for the data when the server waits for a
// COPY; afterwards sync says whether a Sync ends the exchange.
func (l *Link) Finish(rows func() []byte, sync bool) ([]Message, error) {
	var got []Message
	for {
		m, err := l.Receive()
		if err != nil {
			return got, err
		}
		got = append(got, m)
		switch m.Type {
		case 'Z':
			return got, nil
		case 'G':
			end := []pgproto3.FrontendMessage{&pgproto3.CopyData{Data: rows()}, &pgproto3.CopyDone{}}
			if sync {
				end = append(end, &pgproto3.Sync{})
			}
			if err := l.Send(end...); err != nil {
				return got, err
			}
		}
	}
}

// Simple runs a query string in the simple protocol.
func (l *Link) Simple(sql string, rows func() []byte) ([]Message, error) {
	if err := l.Send(&pgproto3.Query{String: sql}); err != nil {
		return nil, err
	}
	return l.Finish(rows, false)
}

// Extended runs one statement in the extended protocol, with results in the given format.
func (l *Link) Extended(sql string, format int16, rows func() []byte) ([]Message, error) {
	err := l.Send(&pgproto3.Parse{Query: sql}, &pgproto3.Bind{ResultFormatCodes: []int16{format}},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
	if err != nil {
		return nil, err
	}
	return l.Finish(rows, true)
}
