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

	sent  [5]string // the values that Set puts on a header, so that they need no memory of their own
	chain chain
}

// The places in Signed.sent.
const (
	sentDate = iota
	sentContent
	sentToken
	sentRegionSet
	sentAuthorization
)

var sentNames = [...]string{"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-Region-Set", "Authorization"}

// Set puts everything on the header of the request that was signed.
func (s *Signed) Set(h http.Header) {
	for i, name := range sentNames {
		if s.sent[i] != "" {
			h[name] = s.sent[i : i+1 : i+1]
		}
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
	if err := to.check(c); err != nil {
		return nil, err
	}
	out := &Signed{Date: at.UTC().Format(timeFormat), ContentSHA256: payload, SessionToken: c.SessionToken, RegionSet: strings.Join(to.RegionSet, ",")}
	out.sent = [5]string{out.Date, out.ContentSHA256, out.SessionToken, out.RegionSet}
	scope := Scope{Date: out.Date[:dateLength], Region: to.Region, Service: to.Service}
	algorithm := HMAC
	if out.RegionSet != "" {
		algorithm = ECDSA
	}
	request, fields, err := out.hash(r, to.Service)
	if err != nil {
		return nil, err
	}
	signature, err := out.sign(s.keys, c, scope, algorithm, &request)
	if err != nil {
		return nil, err
	}
	out.Authorization = header(algorithm, c.KeyID, scope, fields, signature)
	out.sent[sentAuthorization] = out.Authorization
	return out, nil
}

func (t Target) check(c Credentials) error {
	if c.Secret == "" || !isName(c.KeyID) || !isName(t.Service) || !isText(c.SessionToken) {
		return errors.New("sign: a key and a service are required")
	}
	if len(t.RegionSet) == 0 && isName(t.Region) {
		return nil
	}
	if _, ok := parseRegionSet(strings.Join(t.RegionSet, ",")); !ok || t.Region != "" {
		return errors.New("sign: a region or a set of regions is required")
	}
	return nil
}

// sign returns the signature in hex.
func (s *Signed) sign(keys *Keys, c Credentials, scope Scope, a Algorithm, request *[sha256.Size]byte) ([]byte, error) {
	if a == HMAC {
		key := keys.signing(c, scope)
		m := key.mac()
		s.chain = newChain(key, s.Date, scope, m.sign(appendToSign(m.buf[:0], HMAC, s.Date, scope, request)))
		key.macs.Put(m)
		return s.chain.last[:], nil
	}
	key, err := keys.asymmetric(c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(appendToSign(nil, ECDSA, s.Date, scope, request))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	return hex.AppendEncode(nil, signature), err
}

// hash returns the hash of the canonical request and what is signed.
func (s *Signed) hash(r *Request, service string) (sum [sha256.Size]byte, fields []field, err error) {
	if fields, err = r.fields(); err != nil {
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
	fields = s.fields(fields)
	c := canon{method: r.Method, path: r.Path, service: service, host: r.Host, fields: fields, payload: s.ContentSHA256, params: sorted(params)}
	sum, err = c.hash()
	return sum, fields, err
}

// fields are those of the request that are signed, and what signing sets.
func (s *Signed) fields(of []field) []field {
	of = slices.DeleteFunc(of, func(f field) bool { return isOurs(f.name) })
	of = append(of, field{name: "host"})
	for i := range sentAuthorization {
		if s.sent[i] != "" {
			of = append(of, field{sentNames[i], s.sent[i : i+1]})
		}
	}
	slices.SortFunc(of, compareFold)
	return of
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

func header(a Algorithm, key string, scope Scope, fields []field, signature []byte) string {
	b := make([]byte, 0, 512)
	b = append(append(b, a...), " Credential="...)
	b = append(append(b, key...), '/')
	b = append(appendScope(b, scope, a), ", SignedHeaders="...)
	b = append(appendNames(b, fields), ", Signature="...)
	return string(append(b, signature...))
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
