package aws

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sigv4"
)

// BenchmarkExchange takes small calls of one client through the whole edge: signature, model, decision, records in a real spool, a new
// signature, the answer and its masks. The client and what stands for AWS write bytes that are made once, and neither has TLS, so that nearly
// all of what is measured is the edge.
func BenchmarkExchange(b *testing.B) {
	for _, c := range []struct {
		name, method, path, service, target, body, answer string
	}{
		{"GetItem", "POST", "/", "dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"t","Key":{"k":{"S":"123"}}}`, `{"Item":{"k":{"S":"1234"},"v":{"N":"56"}}}`},
		{"GetObject", "GET", "/bucket/1024", "s3", "", "", strings.Repeat("o", 1024)},
	} {
		b.Run(c.name, func(b *testing.B) {
			sink := canned(b, fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Amzn-Requestid: 00000000-0000-0000-0000-000000000000\r\nContent-Type: application/x-amz-json-1.0\r\n"+
				"Content-Length: %d\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n%s", len(c.answer), c.answer))
			edge, access := benchEdge(b, sink)
			header := http.Header{"User-Agent": {"Boto3/1.43.11"}}
			if c.target != "" {
				header["X-Amz-Target"], header["Content-Type"] = []string{c.target}, []string{"application/x-amz-json-1.0"}
			}
			r := &sigv4.Request{Method: c.method, Host: edge, Path: c.path, Header: header, Length: int64(len(c.body))}
			sum := sha256.Sum256([]byte(c.body))
			keys := sigv4.Credentials{KeyID: awskey.KeyID(access), Secret: enforcetest.ClientSecret, SessionToken: access}
			signed, err := sigv4.NewSigner(nil).Sign(r, keys, sigv4.Target{Service: c.service, Region: "eu-west-1"}, hex.EncodeToString(sum[:]), time.Now())
			if err != nil {
				b.Fatal(err)
			}
			signed.Set(header)
			var wire bytes.Buffer
			fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", c.method, c.path, edge, len(c.body))
			if err := header.Write(&wire); err != nil {
				b.Fatal(err)
			}
			wire.WriteString("\r\n" + c.body)
			exchangeAll(b, edge, wire.Bytes(), c.answer)
		})
	}
}

// exchangeAll sends a request over and over on one connection.
func exchangeAll(b *testing.B, address string, wire []byte, want string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	got := make([]byte, len(want))
	one := func() {
		if _, err := conn.Write(wire); err != nil {
			b.Fatal(err)
		}
		status := ""
		for line := "status"; len(line) > 2; {
			text, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if line = string(text); status == "" {
				status = line
			}
		}
		if !strings.HasPrefix(status, "HTTP/1.1 200") {
			rest := make([]byte, in.Buffered())
			_, _ = io.ReadFull(in, rest)
			b.Fatalf("%s: %s", status, rest)
		}
		if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
			b.Fatalf("%q, %v", got, err)
		}
	}
	one()
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}

// canned answers every request with the same bytes.
func canned(b *testing.B, answer string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := make([]byte, 64<<10) // small requests come in one piece
				for {
					if _, err := conn.Read(in); err != nil {
						return
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// benchEdge is an edge with a real spool before an endpoint without TLS, and an access token for it.
func benchEdge(b *testing.B, endpoint string) (address, access string) {
	b.Helper()
	res := &Resource{
		Policy:  policy.Resource{Name: "shop", Kind: "aws", Labels: map[string]string{"env": "dev"}, Role: &policy.Role{ARN: "arn:aws:iam::123456789012:role/agents"}},
		Account: "123456789012", Partition: "aws", Endpoint: endpoint, TLS: upstream.TLS{Mode: upstream.Disable}, AllowLoopback: true, Version: 1,
	}
	who := policy.Principal{Kind: policy.KindAgent, ID: "ada", Name: "ada", Groups: []string{"agents"}}
	bed := enforcetest.New(b, who, res.Policy, func() enforce.Credential {
		return enforce.Credential{Lease: "lease-1", ExpiresAt: time.Now().Add(time.Hour), AWS: &enforce.AWSKeys{
			KeyID: "ASIAUPSTREAM00000000", Secret: []byte("secret"), SessionToken: bytes.Repeat([]byte("t"), 400),
		}}
	})
	bed.Policies.Set(b, permitAll+maskSecrets)
	records, err := spool.Open(spool.Config{Dir: b.TempDir(), Logger: hclog.NewNullLogger()})
	if err != nil {
		b.Fatal(err)
	}
	pipeline, err := enforce.New(enforce.Config{
		Edge: "edge-a", Boot: "b1", Policies: bed.Policies, Lease: bed.Lease, Records: records, Control: bed.Control, Rand: rand.Reader,
	})
	if err != nil {
		b.Fatal(err)
	}
	dialer, err := upstream.New(upstream.Config{})
	if err != nil {
		b.Fatal(err)
	}
	model, err := awsmodel.Open()
	if err != nil {
		b.Fatal(err)
	}
	server, err := New(Config{Pipeline: pipeline, Broker: bed.Control, Dialer: dialer, Model: model, Keys: func() identity.Keys { return bed.Keys }})
	if err != nil {
		b.Fatal(err)
	}
	server.SetResources([]*Resource{res})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- pipeline.Run(ctx) }()
	go func() { done <- server.Serve(ctx, l) }()
	b.Cleanup(func() { cancel(); <-done; <-done; records.Close() })
	return l.Addr().String(), bed.Token(b, "grant-1")
}
