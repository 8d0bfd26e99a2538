package sigv4

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"
)

// Credentials are an access key. They print as the key's id alone.
type Credentials struct {
	KeyID        string
	Secret       string
	SessionToken string // "" for a long-lived key
}

// String is the key's id.
func (c Credentials) String() string { return c.KeyID }

// GoString is the key's id.
func (c Credentials) GoString() string { return c.KeyID }

// Keys remembers derived signing keys, at most as many as it was made for; the oldest makes place. A nil *Keys
// remembers none. It may be used by several goroutines at a time.
type Keys struct {
	mu    sync.Mutex
	max   int
	known map[keyName]*derived
	order []keyName // a ring of max names
	next  int
}

type keyName struct {
	id        string
	scope     Scope
	algorithm Algorithm
}

// derived has the secret too, so that a key whose secret has changed is derived anew.
type derived struct {
	secret string
	key    [sha256.Size]byte // of Version 4
	pair   *ecdsa.PrivateKey // of Version 4A
	macs   sync.Pool         // of *mac with key
}

// NewKeys returns a cache of at most n keys. One key serves one access key, day, region and service.
func NewKeys(n int) *Keys {
	return &Keys{max: n, known: make(map[keyName]*derived)}
}

// signing returns the key of Version 4.
func (k *Keys) signing(c Credentials, s Scope) *derived {
	name := keyName{c.KeyID, s, HMAC}
	if d, ok := k.get(name, c.Secret); ok {
		return d
	}
	d := &derived{secret: c.Secret, key: derive(c.Secret, s)}
	k.put(name, d)
	return d
}

// asymmetric returns the key pair of Version 4A, which is the same for all days and services.
func (k *Keys) asymmetric(c Credentials) (*ecdsa.PrivateKey, error) {
	name := keyName{c.KeyID, Scope{}, ECDSA}
	if d, ok := k.get(name, c.Secret); ok {
		return d.pair, nil
	}
	pair, err := derivePair(c.KeyID, c.Secret)
	if err != nil {
		return nil, err
	}
	k.put(name, &derived{secret: c.Secret, pair: pair})
	return pair, nil
}

func (k *Keys) get(name keyName, secret string) (*derived, bool) {
	if k == nil || k.max <= 0 {
		return nil, false
	}
	k.mu.Lock()
	d, ok := k.known[name]
	k.mu.Unlock()
	if !ok || subtle.ConstantTimeCompare([]byte(d.secret), []byte(secret)) != 1 {
		return nil, false
	}
	return d, true
}

func (k *Keys) put(name keyName, d *derived) {
	if k == nil || k.max <= 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.known[name]; !ok {
		if len(k.order) < k.max {
			k.order = append(k.order, name)
		} else {
			delete(k.known, k.order[k.next])
			k.order[k.next] = name
			k.next = (k.next + 1) % k.max
		}
	}
	k.known[name] = d
}

// derive makes the signing key of a day, a region and a service. Source: the IAM User Guide, "Create a signed AWS API
// request", step 4.
func derive(secret string, s Scope) [sha256.Size]byte {
	key := []byte("AWS4" + secret)
	for _, part := range [...]string{s.Date, s.Region, s.Service, terminator} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return [sha256.Size]byte(key)
}

// mac signs one message after another. The message is written to buf.
type mac struct {
	hash hash.Hash
	buf  []byte
	sum  [sha256.Size]byte
}

// mac returns one that is to be given back to macs, or kept.
func (d *derived) mac() *mac {
	if m, ok := d.macs.Get().(*mac); ok {
		return m
	}
	return &mac{hash: hmac.New(sha256.New, d.key[:]), buf: make([]byte, 0, 256)}
}

func (m *mac) sign(message []byte) *[sha256.Size]byte {
	m.buf = message
	m.hash.Reset()
	m.hash.Write(message)
	m.hash.Sum(m.sum[:0])
	return &m.sum
}
