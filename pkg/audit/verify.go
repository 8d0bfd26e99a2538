package audit

import (
	"errors"
	"fmt"
)

// Damage to a chain, for errors.Is on what VerifyChain and Verifier return.
var (
	ErrGap       = errors.New("records are missing")
	ErrReordered = errors.New("records are out of order")
	ErrAltered   = errors.New("record was altered")
	ErrForeign   = errors.New("record belongs to another session")
	ErrCut       = errors.New("the end is missing")
)

// Damage is the first place where a chain does not hold.
type Damage struct {
	Session string
	Seq     uint64 // the number that was due
	ID      RecordID
	Err     error // ErrGap, ErrReordered, ErrAltered, ErrForeign or ErrCut
	Detail  string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("session %q, record %d (%s): %v: %s", d.Session, d.Seq, d.ID, d.Err, d.Detail)
}

// Unwrap returns the kind of damage.
func (d *Damage) Unwrap() error { return d.Err }

// Verifier checks a chain record by record.
type Verifier struct {
	edge, session string
	head          Head
	closed        bool
	resumed       bool
	buf           []byte
	summer        *summer
}

// ResumeVerifier returns a verifier that goes on behind a head.
func ResumeVerifier(edge, session string, at Head) *Verifier {
	return &Verifier{edge: edge, session: session, head: at, resumed: true}
}

// Add checks the next record of the chain. It returns a *Damage and then does not move on.
func (v *Verifier) Add(r *Record) error {
	if v.head.Seq == 0 && !v.resumed {
		v.edge, v.session = r.Edge, r.Session
	}
	due := v.head.Seq + 1
	damage := func(kind error, format string, args ...any) error {
		return &Damage{Session: v.session, Seq: due, ID: r.ID, Err: kind, Detail: fmt.Sprintf(format, args...)}
	}
	if r.Session != v.session || r.Edge != v.edge {
		return damage(ErrForeign, "it names edge %q, session %q", r.Edge, r.Session)
	}
	if v.closed {
		return damage(ErrAltered, "it follows the record that closed the session")
	}
	if r.Seq > due {
		return damage(ErrGap, "found number %d", r.Seq)
	}
	if r.Seq < due {
		return damage(ErrReordered, "found number %d", r.Seq)
	}
	sum, err := v.sum(r)
	if err != nil {
		return damage(ErrAltered, "%v", err)
	}
	if sum != r.Hash {
		return damage(ErrAltered, "its hash is not that of its content")
	}
	if r.Prev != v.head.Hash {
		return damage(ErrAltered, "it does not follow from the record before it")
	}
	v.head, v.closed = Head{Seq: r.Seq, Hash: r.Hash}, r.Kind == KindSessionClose
	return nil
}

func (v *Verifier) sum(r *Record) (sum [HashSize]byte, err error) {
	v.buf, err = r.appendBody(v.buf[:0])
	if err != nil {
		return sum, err
	}
	if v.summer == nil {
		v.summer = newSummer()
	}
	return v.summer.of(v.buf), nil
}

// Head returns where the checked chain stands.
func (v *Verifier) Head() Head { return v.head }

// Closed tells whether the last record closed the session, so that no end is missing.
func (v *Verifier) Closed() bool { return v.closed }

// CheckHead returns a *Damage with ErrCut or ErrAltered unless the chain ends at the head known from elsewhere.
func (v *Verifier) CheckHead(want Head) error {
	d := &Damage{Session: v.session, Seq: v.head.Seq + 1}
	switch {
	case v.head == want:
		return nil
	case v.head.Seq < want.Seq:
		d.Err, d.Detail = ErrCut, fmt.Sprintf("records up to %d are known", want.Seq)
	default:
		d.Seq, d.Err, d.Detail = v.head.Seq, ErrAltered, "another end of the chain is known"
	}
	return d
}

// VerifyChain checks the records of one session, from its first. It returns a *Damage that names the first record
// that is missing, altered, out of order or of another session. A missing end needs Verifier.Closed or CheckHead.
func VerifyChain(records []Record) error {
	var v Verifier
	for i := range records {
		if err := v.Add(&records[i]); err != nil {
			return err
		}
	}
	return nil
}
