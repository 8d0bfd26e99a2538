package awsiam

import (
	"crypto/subtle"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The one request that is taken, and the headers that bind it to this server and sign-in.
const (
	Method         = "POST"
	Path           = "/"
	Body           = "Action=GetCallerIdentity&Version=2011-06-15"
	ServerIDHeader = "x-writ-server-id"
	NonceHeader    = "x-writ-nonce"
)

// maxAge is how old a signature may be; leeway by how much its clock may be ahead of ours.
const (
	maxAge     = 5 * time.Minute
	leeway     = time.Minute
	maxHeader  = 8 << 10 // bytes in one value: session tokens are long
	amzDate    = "20060102T150405Z"
	stsService = "sts"
)

// Proof is a signed request that was not sent. Header names are in lower case.
type Proof struct {
	Region  string
	Headers map[string]string
	Body    string
}

// Host is the host of a region's STS, which is also the signed Host.
func Host(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "sts." + region + ".amazonaws.com.cn"
	}
	return "sts." + region + ".amazonaws.com"
}

// allowed are the headers that a proof may have; true for those it must have.
var allowed = map[string]bool{
	"authorization": true, "host": true, "x-amz-date": true, "content-type": true, ServerIDHeader: true, NonceHeader: true,
	"x-amz-security-token": false, "x-amz-content-sha256": false, "content-length": false,
}

// unsigned are the headers that no signature covers.
var unsigned = []string{"authorization", "content-length"}

var contentTypes = []string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"}

// checkedProof is one that may be sent.
type checkedProof struct {
	Proof
	signed time.Time
	nonce  NonceID
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProof, fmt.Sprintf(format, args...))
}

// check refuses everything but the one request, signed for this server just now.
func (v *Verifier) check(p Proof) (checkedProof, error) {
	if !slices.Contains(v.cfg.Regions, p.Region) {
		return checkedProof{}, refuse("its region is not one of %s", strings.Join(v.cfg.Regions, ", "))
	}
	if p.Body != Body {
		return checkedProof{}, refuse("its body is not %s", Body)
	}
	if err := checkHeaders(p.Headers); err != nil {
		return checkedProof{}, err
	}
	switch {
	case p.Headers["host"] != Host(p.Region):
		return checkedProof{}, refuse("its host is not %s", Host(p.Region))
	case !slices.Contains(contentTypes, p.Headers["content-type"]):
		return checkedProof{}, refuse("its content-type is not %s", contentTypes[0])
	case subtle.ConstantTimeCompare([]byte(p.Headers[ServerIDHeader]), []byte(v.cfg.ServerID)) != 1:
		return checkedProof{}, refuse("it was signed for another server than %s", v.cfg.ServerID)
	}
	signed, err := v.checkDate(p.Headers["x-amz-date"])
	if err != nil {
		return checkedProof{}, err
	}
	if err := checkAuthorization(p); err != nil {
		return checkedProof{}, err
	}
	nonce, err := v.nonces.Check(p.Headers[NonceHeader])
	if err != nil {
		return checkedProof{}, refuse("%s", err)
	}
	return checkedProof{Proof: p, signed: signed, nonce: nonce}, nil
}

func checkHeaders(headers map[string]string) error {
	for name, value := range headers {
		if _, ok := allowed[name]; !ok {
			return refuse("it has a header that does not belong there")
		}
		if value == "" || len(value) > maxHeader || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return refuse("its header %s is empty, too long or no plain text", name)
		}
	}
	for name, required := range allowed {
		if required && headers[name] == "" {
			return refuse("it has no header %s", name)
		}
	}
	return nil
}

func (v *Verifier) checkDate(text string) (time.Time, error) {
	signed, err := time.Parse(amzDate, text)
	if err != nil {
		return time.Time{}, refuse("its x-amz-date is no time")
	}
	if age := v.now().Sub(signed); age > maxAge || age < -leeway {
		return time.Time{}, refuse("it was signed %s ago, or that clock is wrong; at most %s", age.Round(time.Second), maxAge)
	}
	return signed, nil
}

// authorization is the header's form (AWS Signature Version 4, "Authorization header").
var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]{16,128})/([0-9]{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?` +
	`SignedHeaders=([a-z0-9-]+(?:;[a-z0-9-]+)*), ?Signature=[0-9a-f]{64}$`)

// checkAuthorization refuses a signature for another service, region or day, and one that leaves a header out.
func checkAuthorization(p Proof) error {
	m := authorization.FindStringSubmatch(p.Headers["authorization"])
	if m == nil {
		return refuse("its authorization is no signature of version 4")
	}
	day, region, service, signed := m[2], m[3], m[4], strings.Split(m[5], ";")
	if day != p.Headers["x-amz-date"][:8] || region != p.Region || service != stsService {
		return refuse("its signature is for another day, region or service")
	}
	for name := range p.Headers {
		if !slices.Contains(unsigned, name) && !slices.Contains(signed, name) {
			return refuse("its header %s is not signed", name)
		}
	}
	for i, name := range signed {
		if p.Headers[name] == "" || slices.Contains(signed[:i], name) {
			return refuse("its signature names a header that is not there, or one twice")
		}
	}
	return nil
}
