package clitest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/sigv4"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// accountToken is what an AWS client signs with. The caller holds mu.
func (c *ControlPlane) accountToken(token string, g *accessv1.Grant) *accessv1.IssueTokenResponse {
	return &accessv1.IssueTokenResponse{
		Token: token, ExpiresAt: g.GetExpiresAt(), Resource: g.GetResource(), User: g.GetPrincipal().GetName(),
		Endpoints: slices.Clone(c.awsEdges), CaPem: string(c.CAPEM),
		AwsKey: &accessv1.AwsClientKey{
			AccessKeyId: awskey.KeyID(token), SecretAccessKey: awsSecret(token), SessionToken: token, ExpiresAt: g.GetExpiresAt(),
		},
	}
}

func awsSecret(token string) string { return awskey.Secret([]byte("fake"), token) }

// AWSCall is one call that came to an AWSEdge.
type AWSCall struct {
	// Host is what the client wanted to reach; Tunnel says that it came through CONNECT.
	Host   string
	Tunnel bool
	// Token is the session token, Service and Region are the signature's.
	Token, Service, Region string
	// Agent is the User-Agent.
	Agent string
}

// AWSEdge is a fake edge for AWS clients: an endpoint, and a proxy for AWS's hosts. It verifies signatures and tokens, answers
// sts:GetCallerIdentity and s3:ListBuckets, and keeps S3 objects.
type AWSEdge struct {
	// Addr is its "host:port".
	Addr string

	control  *ControlPlane
	verifier *sigv4.Verifier

	mu      sync.Mutex
	calls   []AWSCall
	objects map[string][]byte // by host and path
}

// StartAWSEdge serves a fake edge of c until the test ends, and has c name it to AWS clients.
func StartAWSEdge(t testing.TB, c *ControlPlane) *AWSEdge {
	t.Helper()
	verifier, err := sigv4.NewVerifier(sigv4.VerifierConfig{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	e := &AWSEdge{control: c, verifier: verifier, objects: map[string][]byte{}}
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	e.Addr = server.Listener.Addr().String()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awsEdges = append(c.awsEdges, e.Addr)
	return e
}

// Calls are the calls that were answered so far.
func (e *AWSEdge) Calls() []AWSCall {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// ServeHTTP implements http.Handler.
func (e *AWSEdge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		status, body := e.answer(r, false)
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // net/http leaves it out of the answer to HEAD
		return
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || port != "443" || !strings.HasSuffix(host, ".amazonaws.com") {
		http.Error(w, "only AWS", http.StatusForbidden)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err == nil {
		e.tunnel(conn, host)
	}
}

// tunnel answers what comes through one CONNECT.
func (e *AWSEdge) tunnel(conn net.Conn, host string) {
	leaf, err := e.control.authority.serving(nil, host)
	if err != nil {
		return
	}
	secure := tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{leaf}})
	for in := bufio.NewReader(secure); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		status, body := e.answer(r, true)
		_, _ = io.Copy(io.Discard, r.Body)
		head := fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n", status, len(body))
		if r.Method == http.MethodHead || status == http.StatusNoContent {
			body = ""
		}
		if _, err := io.WriteString(secure, head+body); err != nil {
			return
		}
	}
}

// answer verifies one call and answers it.
func (e *AWSEdge) answer(r *http.Request, tunnel bool) (status int, body string) {
	content, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(nil))
	var said *sigv4.Authorization
	signed, failed := sigv4.FromHTTP(r)
	if err == nil && failed == nil {
		said, err = sigv4.Parse(signed)
	}
	if err != nil || failed != nil {
		return http.StatusForbidden, problem("IncompleteSignature", fmt.Sprint(err, failed))
	}
	if said.Payload.Mode == sigv4.Absent {
		sum := sha256.Sum256(content)
		signed.BodyHash = hex.EncodeToString(sum[:])
	}
	token := said.SessionToken
	verified, err := e.verifier.Verify(signed, said, awsSecret(token))
	if err != nil || said.KeyID != awskey.KeyID(token) {
		return http.StatusForbidden, problem("SignatureDoesNotMatch", fmt.Sprint(err))
	}
	if !e.control.Valid(token) {
		return http.StatusForbidden, problem("ExpiredToken", "the grant has ended")
	}
	e.mu.Lock()
	e.calls = append(e.calls, AWSCall{Host: r.Host, Tunnel: tunnel, Token: token, Service: said.Scope.Service, Region: said.Scope.Region, Agent: r.UserAgent()})
	e.mu.Unlock()
	switch {
	case said.Scope.Service == "sts" && strings.Contains(string(content), "Action=GetCallerIdentity&"):
		return http.StatusOK, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
			`<Arn>arn:aws:sts::123456789012:assumed-role/fake/kim</Arn><UserId>AROA:kim</UserId><Account>123456789012</Account>` +
			`</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`
	case said.Scope.Service == "s3" && r.Method == http.MethodGet && r.URL.Path == "/":
		if r.URL.RawQuery != "" && !strings.HasPrefix(r.URL.RawQuery, "x-id=") { // of a bucket, which the host names
			return http.StatusOK, emptyBucket
		}
		return http.StatusOK, `<ListAllMyBucketsResult><Buckets><Bucket><Name>reports</Name><CreationDate>2026-03-01T12:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>`
	case said.Scope.Service == "s3" && r.URL.Query().Has("list-type"):
		return http.StatusOK, emptyBucket
	case said.Scope.Service == "s3":
		payload, err := sigv4.NewPayload(bytes.NewReader(content), verified)
		if err == nil {
			content, err = io.ReadAll(payload)
		}
		if err != nil {
			return http.StatusForbidden, problem("SignatureDoesNotMatch", err.Error())
		}
		return e.object(r, content)
	}
	return http.StatusForbidden, problem("AccessDenied", "writ: not this")
}

const emptyBucket = `<ListBucketResult><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>`

// object keeps an object, or gives it back.
func (e *AWSEdge) object(r *http.Request, content []byte) (status int, body string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := r.Host + r.URL.Path
	kept, ok := e.objects[key]
	switch r.Method {
	case http.MethodPut:
		e.objects[key] = content
		return http.StatusOK, ""
	case http.MethodDelete:
		delete(e.objects, key)
		return http.StatusNoContent, ""
	case http.MethodGet, http.MethodHead:
		if ok {
			return http.StatusOK, string(kept)
		}
	}
	return http.StatusNotFound, "<Error><Code>NoSuchKey</Code><Message>it is not there</Message><RequestId>1</RequestId></Error>"
}

func problem(code, message string) string {
	return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message + "</Message></Error><RequestId>1</RequestId></ErrorResponse>"
}
