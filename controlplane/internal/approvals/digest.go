package approvals

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"github.com/writhq/writ/pkg/policy"
)

// digest hashes fields with their lengths, so that no two different subjects give the same bytes.
type digest struct{ h hash.Hash }

func newDigest(what string) digest {
	d := digest{sha256.New()}
	d.text(what)
	return d
}

func (d digest) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	d.h.Write(b[:])
}

func (d digest) text(s string) {
	d.number(int64(len(s)))
	d.h.Write([]byte(s))
}

func (d digest) list(items []string) {
	d.number(int64(len(items)))
	for _, s := range items {
		d.text(s)
	}
}

func (d digest) time(t time.Time) { d.number(t.UnixNano()) }

// moment is a time that may be unset.
func (d digest) moment(t time.Time) {
	d.flag(!t.IsZero())
	if !t.IsZero() {
		d.time(t)
	}
}

func (d digest) flag(b bool) {
	if b {
		d.number(1)
	} else {
		d.number(0)
	}
}

func (d digest) principal(p policy.Principal) {
	d.text(p.Kind)
	d.text(p.ID)
	d.text(p.Issuer)
	d.list(p.OnBehalfOf)
}

// String is 64 hex digits.
func (d digest) String() string { return hex.EncodeToString(d.h.Sum(nil)) }

// shown is what a person is shown of a request and therefore votes on.
func (r Request) shown() string {
	d := newDigest("writ access request v3")
	d.text(r.ID)
	d.principal(r.Principal)
	d.text(r.Resource)
	d.text(r.ResourceUID)
	d.list(r.Actions)
	d.number(int64(r.Duration))
	d.text(r.Reason)
	d.text(r.Ticket)
	d.text(r.Extends)
	d.intent(r.Intent)
	d.moment(r.StartAt)
	d.flag(r.BreakGlass)
	d.role(r.Role)
	d.time(r.CreatedAt)
	return d.String()
}

// shown is what a person is shown of a held command and therefore votes on. It includes the edge's digest of the
// command itself, of which the statement is a redacted view.
func (h Hold) shown() string {
	d := newDigest("writ held command v2")
	d.text(h.ID)
	d.principal(h.Principal)
	for _, s := range []string{h.Resource, h.Edge, h.Session, h.Grant, h.Statement, h.Reason, h.RequestReason, h.Ticket} {
		d.text(s)
	}
	d.list(h.Params)
	d.list(h.Actions)
	d.list(h.Tables)
	d.intent(h.Intent)
	d.flag(h.BreakGlass)
	d.preview(h.Preview)
	d.flags(h.Flags)
	d.text(string(h.Command))
	d.time(h.CreatedAt)
	return d.String()
}

func sameDigest(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
