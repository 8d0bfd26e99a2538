package sigv4

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Target says for what a request is signed.
type Target struct {
	Service   string   // the signing name, for example "s3"
	Region    string   // of Version 4; must be "" with RegionSet
	RegionSet []string // makes it Version 4A
}

// Signer signs requests. It may be used by several goroutines at a time.
type Signer struct{ keys *Keys }

// NewSigner returns a signer that remembers derived keys in keys, which may be nil.
func NewSigner(keys *Keys) *Signer { return &Signer{keys} }

// Signed is what signing adds to a request.
type Signed struct {
	Authorization string
	Date          string // X-Amz-Date
	ContentSHA256 string
	SessionToken  string // "" without one
	RegionSet     string // "" in Version 4

	chain chain
}

// Set puts everything on the header of the request that was signed.
func (s *Signed) Set(h http.Header) {
	h["Authorization"] = []string{s.Authorization}
	h["X-Amz-Date"] = []string{s.Date}
	h["X-Amz-Content-Sha256"] = []string{s.ContentSHA256}
	if s.SessionToken != "" {
		h["X-Amz-Security-Token"] = []string{s.SessionToken}
	}
	if s.RegionSet != "" {
		h["X-Amz-Region-Set"] = []string{s.RegionSet}
	}
}

// String leaves everything out.
func (s *Signed) String() string { return "signed request" }

// GoString leaves everything out.
func (s *Signed) GoString() string { return "signed request" }

// Sign signs a request by its method, host, raw path, raw query, payload and all of its headers but those that are for
// one hop or that proxies change. payload is the body's SHA-256 in hex or one of the words for x-amz-content-sha256 as in
// [Payload.Hash]. The header is not changed; see [Signed.Set].
func (s *Signer) Sign(r *Request, c Credentials, to Target, payload string, at time.Time) (*Signed, error) {
	if c.KeyID == "" || c.Secret == "" || to.Service == "" || (to.Region == "") == (len(to.RegionSet) == 0) {
		return nil, errors.New("sign: key, service and region are required")
	}
	out := &Signed{Date: at.UTC().Format(timeFormat), ContentSHA256: payload, SessionToken: c.SessionToken, RegionSet: strings.Join(to.RegionSet, ",")}
	scope := Scope{Date: out.Date[:dateLength], Region: to.Region, Service: to.Service}
	algorithm := HMAC
	if out.RegionSet != "" {
		algorithm = ECDSA
	}
	request, names, err := out.hash(r, to.Service)
	if err != nil {
		return nil, err
	}
	var stack [256]byte
	message := stringToSign(stack[:0], algorithm, out.Date, scope, request)
	signature, err := out.sign(s.keys, c, scope, algorithm, message)
	if err != nil {
		return nil, err
	}
	out.Authorization = header(algorithm, c.KeyID, scope, names, signature)
	return out, nil
}

func (s *Signed) sign(keys *Keys, c Credentials, scope Scope, a Algorithm, message []byte) ([]byte, error) {
	if a == ECDSA {
		key, err := keys.pair(c)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(message)
		return ecdsa.SignASN1(rand.Reader, key, sum[:])
	}
	key := keys.signing(c, scope)
	sum := mac(&key, message)
	s.chain = newChain(key, s.Date, scope, sum)
	return sum[:], nil
}

// hash returns the hash of the canonical request and the names signed.
func (s *Signed) hash(r *Request, service string) (sum [sha256.Size]byte, names []string, err error) {
	if err := r.check(); err != nil {
		return sum, nil, err
	}
	if err := checkPath(r.Path, service); err != nil {
		return sum, nil, err
	}
	params, err := parseQuery(r.RawQuery)
	if err != nil {
		return sum, nil, err
	}
	if name := findAuth(params); name != "" {
		return sum, nil, refuse(ErrQueryForm, "query parameter "+name, "cannot be beside a signed header", "")
	}
	names = s.names(r.Header)
	c := canon{
		method: r.Method, path: r.Path, service: service, host: r.Host, names: names, payload: s.ContentSHA256,
		params: sorted(params), values: func(name string) []string { return s.values(r, name) },
	}
	sum, err = c.hash()
	return sum, names, err
}

// names lists what is signed, in lower case and sorted.
func (s *Signed) names(h http.Header) []string {
	names := make([]string, 0, len(h)+5)
	names = append(names, "host", "x-amz-content-sha256", "x-amz-date")
	if s.SessionToken != "" {
		names = append(names, "x-amz-security-token")
	}
	if s.RegionSet != "" {
		names = append(names, "x-amz-region-set")
	}
	for name := range h {
		if !isOurs(name) {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return names
}

func (s *Signed) values(r *Request, name string) []string {
	switch name {
	case "x-amz-content-sha256":
		return []string{s.ContentSHA256}
	case "x-amz-date":
		return []string{s.Date}
	case "x-amz-security-token":
		return []string{s.SessionToken}
	case "x-amz-region-set":
		return []string{s.RegionSet}
	}
	return r.signedValues(name)
}

// isOurs knows the headers that signing sets, and those that are never signed: they are for one hop, or change on the way.
// Source: SIGNED_HEADERS_BLACKLIST of botocore's auth.py and IgnoredHeaders of aws-sdk-go-v2's signer.
func isOurs(name string) bool {
	switch name {
	case "Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-Region-Set",
		"Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent", "X-Amzn-Trace-Id":
		return true
	}
	return false
}

func header(a Algorithm, key string, scope Scope, names []string, signature []byte) string {
	b := make([]byte, 0, 512)
	b = append(append(b, a...), " Credential="...)
	b = append(append(b, key...), '/')
	b = append(appendScope(b, scope, a), ", SignedHeaders="...)
	b = append(appendNames(b, names), ", Signature="...)
	return string(hex.AppendEncode(b, signature))
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
