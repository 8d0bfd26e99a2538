package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/writhq/writ/pkg/sigv4"
)

// awsPath is one way to what stands for AWS.
type awsPath struct {
	name, scheme, address string
	keys                  sigv4.Credentials
	pid                   int // of a proxy
}

// awsCall is a call of a client.
type awsCall struct {
	name, method, path, service string
	header                      http.Header
	body                        string
}

var smallCalls = []awsCall{
	{"dynamodb:GetItem", http.MethodPost, "/", "dynamodb", http.Header{
		"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"DynamoDB_20120810.GetItem"},
	}, `{"TableName":"t","Key":{"k":{"S":"123"}}}`},
	{"s3:GetObject of 1 KB", http.MethodGet, "/bucket/" + strconv.Itoa(small), "s3", http.Header{}, ""},
}

const unsigned = "UNSIGNED-PAYLOAD"

// request signs a call. payload is the hash of the body, or the word for a body that is not signed.
func (p awsPath) request(ctx context.Context, c awsCall, payload string, body io.Reader, length int64) (*http.Request, error) {
	r := &sigv4.Request{Method: c.method, Host: p.address, Path: c.path, Header: c.header.Clone(), Length: length}
	signed, err := sigv4.NewSigner(nil).Sign(r, p.keys, sigv4.Target{Service: c.service, Region: "eu-west-1"}, payload, time.Now())
	if err != nil {
		return nil, err
	}
	signed.Set(r.Header)
	req, err := http.NewRequestWithContext(ctx, c.method, p.scheme+"://"+p.address+c.path, body)
	if err != nil {
		return nil, err
	}
	req.Header, req.ContentLength = r.Header, length
	return req, nil
}

func newAWSTransport() *http.Transport {
	return &http.Transport{
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // what a benchmark made itself
		DisableCompression: true, MaxIdleConnsPerHost: 64, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
}

// load makes a call over a number of connections, one after another on each. Each connection's request is signed once, so that
// what is measured is not the client.
func (p awsPath) load(ctx context.Context, c awsCall, conns int, length time.Duration) (sample, error) {
	transport := newAWSTransport()
	defer transport.CloseIdleConnections()
	all := make([][]float64, conns)
	errs := make([]error, conns)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { all[i], errs[i] = p.repeat(ctx, transport, c, began.Add(length)) })
	}
	wg.Wait()
	took := time.Since(began).Seconds()
	for _, err := range errs {
		if err != nil {
			return sample{}, err
		}
	}
	late := slices.Concat(all...)
	slices.Sort(late)
	return sample{tps: float64(len(late)) / took, p50: late[len(late)/2], p99: late[len(late)*99/100]}, nil
}

// repeat returns how long each call took, in ms.
func (p awsPath) repeat(ctx context.Context, transport *http.Transport, c awsCall, until time.Time) (late []float64, err error) {
	sum := sha256.Sum256([]byte(c.body))
	first, err := p.request(ctx, c, hex.EncodeToString(sum[:]), nil, int64(len(c.body)))
	if err != nil {
		return nil, err
	}
	for len(late) == 0 || time.Now().Before(until) {
		req := first.Clone(ctx)
		if req.Body = http.NoBody; c.body != "" {
			req.Body = io.NopCloser(strings.NewReader(c.body))
		}
		began := time.Now()
		if _, err := p.do(transport, req); err != nil {
			return nil, err
		}
		late = append(late, time.Since(began).Seconds()*1000)
	}
	return late, nil
}

// do sends a request, and returns how many bytes the answer has.
func (p awsPath) do(transport *http.Transport, req *http.Request) (int64, error) {
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return 0, fmt.Errorf("%s: %s %s: %s %s", p.name, req.Method, req.URL.Path, resp.Status, text)
	}
	n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{resp.Body}, make([]byte, 256<<10))
	if taken := resp.Header.Get("X-Taken"); taken != "" {
		n, err = strconv.ParseInt(taken, 10, 64)
	}
	return n, err
}

// stream puts or gets an object of a size once.
func (p awsPath) stream(ctx context.Context, method string, size int64) (time.Duration, error) {
	transport := newAWSTransport()
	defer transport.CloseIdleConnections()
	c := awsCall{method: method, path: "/bucket/" + strconv.FormatInt(size, 10), service: "s3", header: http.Header{}}
	var body io.Reader
	var length int64
	if method == http.MethodPut {
		body, length = io.LimitReader(zeros{}, size), size
	}
	began := time.Now()
	req, err := p.request(ctx, c, unsigned, body, length)
	if err != nil {
		return 0, err
	}
	n, err := p.do(transport, req)
	if err == nil && n != size {
		err = fmt.Errorf("%s: %s of %d bytes: %d went through", p.name, method, size, n)
	}
	return time.Since(began), err
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
