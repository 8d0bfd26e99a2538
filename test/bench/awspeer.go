package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// upstreamKeys are those of the account, which nobody verifies.
var upstreamKeys = aws.Credentials{AccessKeyID: "ASIAUPSTREAM00000000", SecretAccessKey: "the-secret-of-the-account-in-a-benchmark", SessionToken: strings.Repeat("t", 400)}

const (
	item  = `{"Item":{"k":{"S":"1234"},"v":{"N":"56"}}}`
	small = 1 << 10 // bytes of the small object
)

// serveUpstream is what stands for AWS: it answers GetItem, takes every object whole, and has one of every size, /bucket/SIZE.
func serveUpstream([]string) error {
	block := make([]byte, 256<<10)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "00000000-0000-0000-0000-000000000000")
		_, size, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch left, err := strconv.ParseInt(size, 10, 64); {
		case r.Method == http.MethodGet && err == nil:
			w.Header().Set("Content-Length", size)
			for ; left > 0; left -= int64(len(block)) {
				_, _ = w.Write(block[:min(left, int64(len(block)))])
			}
		case r.Method == http.MethodPut:
			n, _ := io.CopyBuffer(io.Discard, struct{ io.Reader }{r.Body}, make([]byte, 256<<10))
			w.Header().Set("X-Taken", strconv.FormatInt(n, 10))
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_, _ = io.WriteString(w, item)
		}
	}))
	s.StartTLS()
	line, err := json.Marshal(upstreamAt{Address: s.Listener.Addr().String(), Cert: s.Certificate().Raw})
	if err != nil {
		return err
	}
	return ready(string(line))
}

// upstreamAt is where it serves.
type upstreamAt struct {
	Address string
	Cert    []byte // DER; for the name example.com
}

// servePeer is a proxy that signs and streams, and does nothing else: it verifies, decides and records nothing.
func servePeer(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: %s ADDRESS", os.Args[0])
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p := &peer{upstream: args[0], signer: v4.NewSigner(), transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true, MaxIdleConnsPerHost: 64, //nolint:gosec // what a benchmark made itself
		WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}}
	go func() { _ = (&http.Server{Handler: p, ReadHeaderTimeout: time.Minute}).Serve(l) }()
	return ready(l.Addr().String())
}

type peer struct {
	upstream  string
	signer    *v4.Signer
	transport *http.Transport
}

// ServeHTTP implements http.Handler.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI, out.Host = "https", p.upstream, "", p.upstream
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		out.Header.Del(name)
	}
	service, payload := "dynamodb", "UNSIGNED-PAYLOAD"
	if r.Method != http.MethodPost {
		service = "s3"
	} else {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		sum := sha256.Sum256(body)
		payload, out.Body = hex.EncodeToString(sum[:]), io.NopCloser(bytes.NewReader(body))
	}
	out.Header.Set("X-Amz-Content-Sha256", payload)
	if err := p.signer.SignHTTP(r.Context(), upstreamKeys, out, payload, service, "eu-west-1", time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	resp, err := p.transport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}
