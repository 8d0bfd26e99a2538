package sigv4

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
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

	payload string
	sum     [sha256.Size]byte // of the canonical request
	chain   chain
}

// Verify holds a request to its signature by a key whose secret the caller looked up. The request must be the one that
// was parsed, unchanged but for its BodyHash. The session token is only known to be signed: whether it is the key's own is for the caller to compare.
// The body is verified when it is read, see [NewBody].
func (v *Verifier) Verify(r *Request, a *Authorization, secret string) (*Verified, error) {
	if secret == "" {
		return nil, refuse(ErrKey, "access key", "no secret", "")
	}
	if a == nil || a.request != r {
		return nil, errors.New("verify: not the request that was parsed")
	}
	if err := a.checkTime(v.now()); err != nil {
		return nil, err
	}
	out := &Verified{Authorization: a}
	fields, err := out.signedFields(r)
	if err != nil {
		return nil, err
	}
	if out.payload, err = a.payloadHash(r); err != nil {
		return nil, err
	}
	c := canon{
		method: r.Method, path: r.Path, service: a.Scope.Service, host: r.Host,
		params: a.params, fields: fields, payload: out.payload,
	}
	if a.Presigned {
		c.but = qSignature
	}
	if out.sum, err = c.hash(); err != nil {
		return nil, err
	}
	if err := out.checkSignature(v.keys, Credentials{KeyID: a.KeyID, Secret: secret}); err != nil {
		return nil, err
	}
	return out, nil
}

// checkSignature compares in constant time, and keeps what chunks are chained by.
func (v *Verified) checkSignature(keys *Keys, c Credentials) error {
	if v.Algorithm == ECDSA {
		key, err := keys.asymmetric(c)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(appendToSign(nil, ECDSA, v.date, v.Scope, &v.sum))
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], v.signature) {
			return errSignature()
		}
		return nil
	}
	key := keys.signing(c, v.Scope)
	m := key.mac()
	defer key.macs.Put(m)
	sum := m.sign(appendToSign(m.buf[:0], HMAC, v.date, v.Scope, &v.sum))
	if subtle.ConstantTimeCompare(sum[:], v.signature) != 1 {
		return errSignature()
	}
	v.chain = newChain(key, v.date, v.Scope, sum)
	return nil
}

func errSignature() error {
	return refuse(ErrSignature, "signature", "not that of this request by this key", "check the secret key, and that nothing on the way changes requests")
}

// ID is the same for two requests if and only if they say the same, by the same key at the same second. It does not depend
// on the signature, of which ECDSA has many for one message.
func (v *Verified) ID() [sha256.Size]byte {
	b := append(append(make([]byte, 0, 512), v.KeyID...), '\n')
	return sha256.Sum256(appendToSign(b, v.Algorithm, v.date, v.Scope, &v.sum))
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

// signedFields returns what is signed, in its order. It wants the host and every X-Amz-* header among it, and lists what
// else is not.
func (v *Verified) signedFields(r *Request) ([]field, error) {
	var covered [MaxHeader]bool
	fields := make([]field, 0, len(v.SignedHeaders))
	for _, name := range v.SignedHeaders {
		i := slices.IndexFunc(v.fields, func(f field) bool { return equalFold(f.name, name) })
		switch {
		case i >= 0:
			covered[i] = true
			fields = append(fields, v.fields[i])
		case name == "host":
			fields = append(fields, field{name: name})
		case name == "content-length" && r.Length >= 0:
			fields = append(fields, field{name, []string{itoa(r.Length)}})
		default:
			return nil, refuse(ErrRequest, "header "+http.CanonicalHeaderKey(name), "signed, but not sent", "")
		}
	}
	if !slices.Contains(v.SignedHeaders, "host") {
		return nil, refuse(ErrUnsigned, "header Host", "not signed", "sign it")
	}
	return fields, v.listUnsigned(&covered)
}

// listUnsigned refuses any X-Amz-* header: botocore and aws-sdk-go-v2 sign them all, and services act on them. What SDKs
// leave out are User-Agent, hop-by-hop headers, X-Amzn-Trace-Id and, of botocore, amz-sdk-invocation-id and amz-sdk-request.
func (v *Verified) listUnsigned(covered *[MaxHeader]bool) error {
	for i, f := range v.fields {
		switch {
		case covered[i] || f.name == "Authorization":
		case strings.HasPrefix(f.name, "X-Amz-"):
			return refuse(ErrUnsigned, "header "+f.name, "not signed", "sign it, or leave it out")
		default:
			if v.NotSigned == nil {
				v.NotSigned = make([]string, 0, len(v.fields)-i)
			}
			v.NotSigned = append(v.NotSigned, f.name)
		}
	}
	slices.Sort(v.NotSigned)
	return nil
}

// Signs reports whether the signature covers a header, in whatever case it is written.
func (a *Authorization) Signs(name string) bool {
	return slices.ContainsFunc(a.SignedHeaders, func(signed string) bool { return equalFold(name, signed) })
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

// Forward returns the signed headers to send on. It leaves out what [Signer.Sign] sets and what is for one hop only. The
// values are those of the request, not copies.
func (v *Verified) Forward() http.Header {
	out := make(http.Header, len(v.SignedHeaders)+4)
	for _, f := range v.fields {
		if !isOurs(f.name) && v.Signs(f.name) {
			out[f.name] = slices.Clip(f.values)
		}
	}
	return out
}
