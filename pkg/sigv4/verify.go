package sigv4

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MaxSkew is how far X-Amz-Date may be from the present. Source: the IAM User Guide, "Why requests are signed".
const MaxSkew = 15 * time.Minute

// Verifier verifies requests. It may be used by several goroutines at a time.
type Verifier struct {
	keys *Keys
	now  func() time.Time
}

// VerifierConfig says what a verifier needs.
type VerifierConfig struct {
	Keys *Keys            // nil: signing keys are derived for each request
	Now  func() time.Time // required
}

// NewVerifier returns a verifier.
func NewVerifier(c VerifierConfig) (*Verifier, error) {
	if c.Now == nil {
		return nil, errors.New("sigv4: no clock")
	}
	return &Verifier{keys: c.Keys, now: c.Now}, nil
}

// Verified is a request whose signature is that of the key. Only what is signed may be forwarded.
type Verified struct {
	*Authorization
	// NotSigned are the headers, in canonical spelling and sorted, that the signature does not cover. Anyone on the way may
	// have put them there. No X-Amz-* is among them.
	NotSigned []string
	// ID is the same for two requests if and only if they say the same, by the same key at the same second.
	ID [sha256.Size]byte

	request *Request
	payload string
	chain   chain
}

// Verify holds a request to its signature by a key whose secret the caller looked up. The request must be the one that
// was parsed. The session token is only known to be signed: whether it is the key's own is for the caller to compare.
// The body is verified when it is read, see [NewBody].
func (v *Verifier) Verify(r *Request, a *Authorization, secret string) (*Verified, error) {
	if secret == "" {
		return nil, refuse(ErrKey, "access key", "no secret", "")
	}
	if err := a.checkTime(v.now()); err != nil {
		return nil, err
	}
	out := &Verified{Authorization: a, request: r}
	if err := out.checkHeaders(); err != nil {
		return nil, err
	}
	var err error
	if out.payload, err = a.payloadHash(r); err != nil {
		return nil, err
	}
	c := canon{
		method: r.Method, path: r.Path, service: a.Scope.Service, host: r.Host,
		params: a.params, names: a.SignedHeaders, values: r.signedValues, payload: out.payload,
	}
	if a.Presigned {
		c.but = qSignature
	}
	request, err := c.hash()
	if err != nil {
		return nil, err
	}
	if err := out.checkSignature(v.keys, Credentials{KeyID: a.KeyID, Secret: secret}, request); err != nil {
		return nil, err
	}
	return out, nil
}

// checkSignature compares in constant time, and keeps what chunks are chained by.
func (v *Verified) checkSignature(keys *Keys, c Credentials, request [sha256.Size]byte) error {
	bad := refuse(ErrSignature, "signature", "not that of this request by this key", "check the secret key, and that nothing on the way changes requests")
	var stack [256]byte
	message := stringToSign(stack[:0], v.Algorithm, v.date, v.Scope, request)
	v.ID = fingerprint(c.KeyID, message)
	if v.Algorithm == ECDSA {
		key, err := keys.pair(c)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(message)
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], v.signature) {
			return bad
		}
		return nil
	}
	key := keys.signing(c, v.Scope)
	sum := mac(&key, message)
	if !hmac.Equal(sum[:], v.signature) {
		return bad
	}
	v.chain = newChain(key, v.date, v.Scope, sum)
	return nil
}

// fingerprint does not depend on the signature, of which ECDSA has many for one message.
func fingerprint(keyID string, message []byte) [sha256.Size]byte {
	var stack [512]byte
	b := append(append(stack[:0], keyID...), '\n')
	return sha256.Sum256(append(b, message...))
}

func (a *Authorization) checkTime(now time.Time) error {
	if a.Scope.Date != a.date[:dateLength] {
		return refuse(ErrScope, "credential", "its date is not that of X-Amz-Date", "")
	}
	if a.Time.After(now.Add(MaxSkew)) || !a.Presigned && a.Time.Before(now.Add(-MaxSkew)) {
		return refuse(ErrSkew, "X-Amz-Date", "more than 15 minutes from the present", "set the clock")
	}
	if a.Presigned && now.After(a.Time.Add(a.Expires)) {
		return refuse(ErrExpired, "presigned URL", "expired", "make a new one")
	}
	return nil
}

// Until is when the signature ceases to be accepted.
func (a *Authorization) Until() time.Time {
	if a.Presigned {
		return a.Time.Add(a.Expires)
	}
	return a.Time.Add(MaxSkew)
}

// checkHeaders wants the host and every X-Amz-* header signed, and lists what else is not.
func (v *Verified) checkHeaders() error {
	if !v.Signs("host") {
		return refuse(ErrUnsigned, "header Host", "not signed", "sign it")
	}
	for name := range v.request.Header {
		if name == "Authorization" || v.Signs(name) {
			continue
		}
		if strings.HasPrefix(name, "X-Amz-") {
			return refuse(ErrUnsigned, "header "+name, "not signed", "sign it, or leave it out")
		}
		v.NotSigned = append(v.NotSigned, name)
	}
	slices.Sort(v.NotSigned)
	return nil
}

// Signs reports whether the signature covers a header, in whatever case it is written.
func (a *Authorization) Signs(name string) bool {
	for _, signed := range a.SignedHeaders {
		if len(signed) == len(name) && strings.EqualFold(signed, name) {
			return true
		}
	}
	return false
}

// payloadHash is what stands for the body in the signature.
func (a *Authorization) payloadHash(r *Request) (string, error) {
	if a.Payload.Mode != Absent {
		return a.Payload.Hash, nil
	}
	if !isHash(r.BodyHash) {
		return "", refuse(ErrPayload, "body", "its hash was not computed", "")
	}
	return r.BodyHash, nil
}

// PayloadHash is what to sign the request with for the upstream, so that the body can be sent on as it comes.
func (v *Verified) PayloadHash() string { return v.payload }

// signedValues finds a header by its name in lower case.
func (r *Request) signedValues(name string) []string {
	if values, ok := r.Header[http.CanonicalHeaderKey(name)]; ok {
		return values
	}
	if name == "content-length" && r.Length >= 0 {
		return []string{itoa(r.Length)}
	}
	return nil
}

// Forward returns the signed headers to send on, which the caller may change. It leaves out what [Sign] sets and what
// is for one hop only.
func (v *Verified) Forward() http.Header {
	out := make(http.Header, len(v.SignedHeaders)+4)
	for _, name := range v.SignedHeaders {
		name = http.CanonicalHeaderKey(name)
		if values, ok := v.request.Header[name]; ok && !isOurs(name) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}
