package auditlog

import (
	"context"
	"errors"

	"github.com/writhq/writ/pkg/audit"
)

// Shipped is what a block holds of one session: the first and the last of its records' places in the session's chain,
// and how many commands they decided.
type Shipped struct {
	Session          string
	First, Last      uint64
	Commands, Denied int64
}

// Tally hears what has been stored. Its method is called from many goroutines and must not wait.
type Tally interface {
	Shipped(s Shipped)
}

type noTally struct{}

func (noTally) Shipped(Shipped) {}

// count adds a record. Every command that is decided leaves one intent or one refusal; what is held leaves one of them
// later.
func (s *Shipped) count(r *audit.Record) {
	switch r.Kind {
	case audit.KindCommand:
		s.Commands++
	case audit.KindRefusal:
		s.Commands++
		s.Denied++
	}
	if s.First == 0 || r.Seq < s.First {
		s.First = r.Seq
	}
	s.Last = max(s.Last, r.Seq)
}

// tallied sums up the records of a block by session.
func tallied(records []audit.Record) map[string]*Shipped {
	all := make(map[string]*Shipped, 8)
	for i := range records {
		r := &records[i]
		s := all[r.Session]
		if s == nil {
			s = &Shipped{Session: r.Session}
			all[r.Session] = s
		}
		s.count(r)
	}
	return all
}

// Count reads a session's records from the first on, damaged ones left out.
func (l *Log) Count(ctx context.Context, session string) (Shipped, error) {
	all := Shipped{Session: session}
	for r, err := range l.Records(ctx, session, false) {
		var damage *audit.Damage
		switch {
		case err == nil:
			all.count(&r)
		case !errors.As(err, &damage):
			return Shipped{}, err
		}
	}
	return all, nil
}
