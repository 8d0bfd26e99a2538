// Package sts stands in for the Security Token Service of AWS where a presigned GetCallerIdentity is called: it knows the keys
// that a moto has made, and checks the signature with the AWS SDK of another generation than the product's.
package sts

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go/aws/credentials"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
)

// valid is how long STS takes a presigned request after its date, whatever X-Amz-Expires says.
const valid = 15 * time.Minute

// dateFormat is of X-Amz-Date.
const dateFormat = "20060102T150405Z"

// ErrDenied is a request that STS does not take.
var ErrDenied = errors.New("denied")

// Key is an access key and whose it is.
type Key struct {
	ID, Secret string
	Token      string // of a session; empty of a user
	ARN        string
	UserID     string
	Account    string
}

// Keys finds access keys by their ID. An unknown one is ErrDenied.
type Keys interface {
	Key(ctx context.Context, id string) (Key, error)
}

// Transport answers requests to STS itself, and refuses all others. Its fields are required.
type Transport struct {
	Keys Keys
	Now  func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	key, err := t.verify(req)
	if errors.Is(err, ErrDenied) {
		return answer(req, http.StatusForbidden, map[string]any{"Error": map[string]string{"Type": "Sender", "Code": "AccessDenied", "Message": err.Error()}})
	}
	if err != nil {
		return nil, err
	}
	return answer(req, http.StatusOK, map[string]any{"GetCallerIdentityResponse": map[string]any{
		"GetCallerIdentityResult": map[string]string{"Account": key.Account, "Arn": key.ARN, "UserId": key.UserID},
		"ResponseMetadata":        map[string]string{"RequestId": "00000000-0000-0000-0000-000000000000"},
	}})
}

func answer(req *http.Request, code int, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(text)), Body: io.NopCloser(bytes.NewReader(text)),
	}, nil
}

// verify says whose request it is.
func (t Transport) verify(req *http.Request) (Key, error) {
	region, err := regionOf(req.URL)
	if err != nil {
		return Key{}, err
	}
	q := req.URL.Query()
	if req.Method != http.MethodGet || q.Get("Action") != "GetCallerIdentity" || q.Get("Version") != "2011-06-15" {
		return Key{}, fmt.Errorf("%w: not a GetCallerIdentity", ErrDenied)
	}
	scope := strings.Split(q.Get("X-Amz-Credential"), "/")
	if len(scope) != 5 || scope[2] != region || scope[3] != "sts" || scope[4] != "aws4_request" {
		return Key{}, fmt.Errorf("%w: the credential is of another scope", ErrDenied)
	}
	signed, err := time.Parse(dateFormat, q.Get("X-Amz-Date"))
	if err != nil || t.Now().Before(signed.Add(-valid)) || t.Now().After(signed.Add(valid)) {
		return Key{}, fmt.Errorf("%w: the date is not of now", ErrDenied)
	}
	key, err := t.Keys.Key(req.Context(), scope[0])
	if err != nil {
		return Key{}, err
	}
	if q.Get("X-Amz-Security-Token") != key.Token {
		return Key{}, fmt.Errorf("%w: the security token is not the key's", ErrDenied)
	}
	return key, check(req, key, region, signed)
}

// regionOf is the region of an endpoint of STS.
func regionOf(u *url.URL) (string, error) {
	if u.Scheme == "https" && u.Host == "sts.amazonaws.com" {
		return "us-east-1", nil
	}
	rest, ok := strings.CutPrefix(u.Host, "sts.")
	region, of := strings.CutSuffix(rest, ".amazonaws.com")
	if u.Scheme != "https" || !ok || !of || region == "" || strings.Contains(region, ".") {
		return "", fmt.Errorf("%s is not STS", u.Host)
	}
	return region, nil
}

// check signs the request again, with the headers that it says are signed, and compares.
func check(req *http.Request, key Key, region string, signed time.Time) error {
	q := req.URL.Query()
	expires, err := time.ParseDuration(q.Get("X-Amz-Expires") + "s")
	if err != nil {
		return fmt.Errorf("%w: X-Amz-Expires: %w", ErrDenied, err)
	}
	again, err := http.NewRequestWithContext(req.Context(), http.MethodGet, "https://"+req.URL.Host+"/", nil)
	if err != nil {
		return err
	}
	unsigned := url.Values{}
	for name, values := range q {
		if !strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			unsigned[name] = values
		}
	}
	again.URL.RawQuery = unsigned.Encode()
	headers := strings.Split(q.Get("X-Amz-SignedHeaders"), ";")
	if !slices.Contains(headers, "host") {
		return fmt.Errorf("%w: the host is not signed", ErrDenied)
	}
	for _, name := range headers {
		if name != "host" {
			again.Header[http.CanonicalHeaderKey(name)] = req.Header.Values(name)
		}
	}
	signer := v4.NewSigner(credentials.NewStaticCredentials(key.ID, key.Secret, key.Token))
	if _, err := signer.Presign(again, nil, "sts", region, expires, signed); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(again.URL.Query().Get("X-Amz-Signature")), []byte(q.Get("X-Amz-Signature"))) != 1 {
		return fmt.Errorf("%w: the signature is another", ErrDenied)
	}
	return nil
}
