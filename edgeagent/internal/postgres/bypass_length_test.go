package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// words appends 32-bit lengths.
func words(dst []byte, values ...uint32) []byte {
	for _, v := range values {
		dst = binary.BigEndian.AppendUint32(dst, v)
	}
	return dst
}

// TestBypassLengthsThatWrap sends Bind, Parse and Query messages whose inner lengths wrap a 32-bit sum
// or claim more than there is, with a whole DROP where a reader that wrapped would go on (the class of
// CVE-2024-27304): refused, and nothing of it runs.
func TestBypassLengthsThatWrap(t *testing.T) {
	l := newLab(t)
	evil := slices.Concat(frameOf(queryOf("DROP TABLE orders")), frameOf(&pgproto3.Sync{}))
	params := func(count uint16, lengths ...uint32) []byte {
		body := append([]byte("\x00\x00"), 0, 0)
		body = binary.BigEndian.AppendUint16(body, count)
		for _, n := range lengths {
			body = words(body, n)
			body = append(body, evil...)
		}
		return append(body, 0, 0)
	}
	for name, frame := range map[string][]byte{
		"two of 2^31-1":                 rawFrame('B', params(2, 1<<31-1, 1<<31-1)),
		"a sum of 2^32":                 rawFrame('B', params(2, -uint32(len(evil)), uint32(len(evil)))),
		"a sum of 2^32, short first":    rawFrame('B', params(2, uint32(len(evil)), -uint32(len(evil)))),
		"-2":                            rawFrame('B', params(1, 1<<32-2)),
		"-2^31":                         rawFrame('B', params(1, 1<<31)),
		"one byte too many":             rawFrame('B', params(1, uint32(len(evil))+3)),
		"65535 values that are not":     rawFrame('B', params(65535, uint32(len(evil)))),
		"65535 formats that are not":    rawFrame('B', append([]byte("\x00\x00\xff\xff"), evil...)),
		"65535 formats for no value":    rawFrame('B', slices.Concat([]byte("\x00\x00\xff\xff"), make([]byte, 2*65535+4))),
		"65535 results that are not":    rawFrame('B', append([]byte("\x00\x00\x00\x00\x00\x00\xff\xff"), evil...)),
		"65535 types that are not":      rawFrame('P', append([]byte("\x00SELECT 1\x00\xff\xff"), evil...)),
		"types that end early":          rawFrame('P', append([]byte("\x00SELECT 1\x00\x00\x01\x00"), evil[:1]...)),
		"name without an end":           rawFrame('P', bytes.ReplaceAll(evil, []byte{0}, []byte{1})),
		"query with more behind":        rawFrame('Q', append([]byte("SELECT 1\x00"), evil...)),
		"query of a length that wraps":  append([]byte{'Q', 0xff, 0xff, 0xff, 0xff}, evil...),
		"parse of a length that wraps":  append([]byte{'P', 0x80, 0, 0, 4}, evil...),
		"bind of a length that wraps":   append([]byte{'B', 0xff, 0xff, 0xff, 0xfc}, evil...),
		"bind just over what is served": append([]byte{'B', 0x04, 0, 0, 1}, evil...),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(l)
			w.t = t
			defer w.conn.Close()
			w.batch(parse("", "SELECT 1"))
			w.conn.SetDeadline(time.Now().Add(10 * time.Second))
			w.conn.Write(frame)
			got, err := io.ReadAll(w.conn)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("hung after %q", got)
			}
			if !bytes.HasPrefix(got, []byte("E")) || !bytes.Contains(got, []byte("SFATAL\x00")) {
				t.Errorf("answered %q", got)
			}
			if l.pg.Value(t, "shop", "SELECT to_regclass('orders') IS NOT NULL") != "t" || strings.Contains(l.pg.Log(t), "DROP TABLE orders") {
				t.Fatal("the target ran what stood inside another frame")
			}
		})
	}
}

// TestBypassManyParameters binds as many values as a count can express, in text and binary: the target
// gets them as they are, or the statement is refused, and the session goes on.
func TestBypassManyParameters(t *testing.T) {
	l := newLab(t)
	evil := frameOf(queryOf("DROP TABLE orders"))
	many := make([][]byte, 65535)
	for i := range many {
		many[i] = evil[:len(evil)/2]
	}
	types := make([]uint32, 65535)
	for name, msgs := range map[string][]pgproto3.FrontendMessage{
		"65535 values for none":   {parse("", "SELECT 1"), &pgproto3.Bind{Parameters: many}, execute("")},
		"65535 types":             {&pgproto3.Parse{Query: "SELECT 1", ParameterOIDs: types}, bind("", ""), execute("")},
		"65535 result formats":    {parse("", "SELECT 1"), &pgproto3.Bind{ResultFormatCodes: make([]int16, 65535)}, execute("")},
		"8 MiB of binary":         {parse("", "SELECT length($1::bytea)"), &pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{bytes.Repeat(evil, 8<<20/len(evil))}}, execute("")},
		"8 MiB of text":           {parse("", "SELECT length($1::text)"), &pgproto3.Bind{Parameters: [][]byte{bytes.Repeat([]byte("Q\x01\x01\x01\x16DROP TABLE orders "), 8<<20/24)}}, execute("")},
		"a NUL in text":           {parse("", "SELECT $1::text"), &pgproto3.Bind{Parameters: [][]byte{evil}}, execute("")},
		"text that is not UTF-8":  {parse("", "SELECT $1::text"), &pgproto3.Bind{Parameters: [][]byte{{0xff, 0xfe}}}, execute("")},
		"binary of a wrong size":  {parse("", "SELECT $1::int4"), &pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{evil}}, execute("")},
		"an array of 2^31 values": {parse("", "SELECT $1::int4[]"), &pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{words(nil, 1, 0, 23, 1<<31-1, 1)}}, execute("")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(l)
			w.t = t
			defer w.conn.Close()
			w.send(append(msgs, &pgproto3.Sync{})...)
			if got, closed := w.until(1); closed {
				t.Errorf("closed after %.300q", got)
			}
			if got := w.simple("SELECT 42"); len(got) < 2 || !strings.Contains(got[1], "42") {
				t.Errorf("afterwards: %q", got)
			}
			if l.pg.Value(t, "shop", "SELECT to_regclass('orders') IS NOT NULL") != "t" {
				t.Fatal("a value was run")
			}
		})
	}
}

// TestBypassSlowMessages claims large messages and sends little of them: no memory is taken for the
// claim, other sessions go on, and the session ends when its time is over.
func TestBypassSlowMessages(t *testing.T) {
	l := newLab(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var slow []*wire
	for range 20 {
		w := newWire(l)
		w.conn.Write(append([]byte{'B', 0x03, 0xff, 0xff, 0xff}, "\x00\x00\x00"...))
		slow = append(slow, w)
	}
	newWire(l).simple("SELECT 1")
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("the heap grew by %d KB for 20 claims of 64 MiB", grown>>10)
	}
	l.pipeline.EndResource("shop-db", "the test ends it")
	for _, w := range slow {
		w.conn.SetDeadline(time.Now().Add(10 * time.Second))
		if got, err := io.ReadAll(w.conn); errors.Is(err, os.ErrDeadlineExceeded) || !bytes.Contains(got, []byte("SFATAL\x00")) {
			t.Fatalf("not ended: %q %v", got, err)
		}
	}
	soon(t, "all sessions end", func() bool { return len(l.pipeline.Sessions()) == 0 })
}

// TestBypassSlowSignIn stops in the middle of signing in: the connection is closed in time.
func TestBypassSlowSignIn(t *testing.T) {
	l := newLab(t)
	cfg := l.server.cfg
	cfg.SignInTimeout = 300 * time.Millisecond
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	defer func() { cancel(); <-done }()
	for name, data := range map[string][]byte{
		"nothing":                 nil,
		"half a length":           {0, 0},
		"a startup of 10000":      append([]byte{0, 0, 0x27, 0x10, 0, 3, 0, 0}, "user\x00"...),
		"SSLRequest and no hello": {0, 0, 0, 8, 4, 210, 22, 47},
		"half a hello":            append([]byte{0, 0, 0, 8, 4, 210, 22, 47}, 0x16, 3, 1, 0x40, 0),
		"GSSENCRequest for ever":  {0, 0, 0, 8, 4, 210, 22, 48},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			conn.Write(data)
			if got, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("held open after %q", got)
			}
		})
	}
}
