package audit

import "fmt"

// Kind says what happened. Numbers are part of the stored form and never change their meaning.
type Kind uint8

// The kinds.
const (
	KindSessionOpen    Kind = 1  // a session was opened
	KindSessionClose   Kind = 2  // a session ended; the last record of its chain
	KindCommand        Kind = 3  // intent: a command was decided allow and is about to be forwarded
	KindOutcome        Kind = 4  // what the target made of a command
	KindRefusal        Kind = 5  // a command, session or request was denied
	KindHold           Kind = 6  // a command waits for approval
	KindHoldDecided    Kind = 7  // a held command was approved, denied, withdrawn or timed out
	KindRows           Kind = 8  // masked result rows of a command
	KindNotice         Kind = 9  // the target or the gateway told the client something
	KindLock           Kind = 10 // a lock was set, lifted or enforced
	KindEdge           Kind = 11 // an edge's own event: enrolled, revision enforced, lease lost
	KindAdmin          Kind = 12 // a person's or service's call to the control plane
	KindRequest        Kind = 13 // an access request was filed
	KindRequestDecided Kind = 14 // an access request was approved, denied or withdrawn
	KindGrant          Kind = 15 // a grant was issued, extended, expired or revoked
	KindCredential     Kind = 16 // a credential lease was minted, renewed or revoked
	KindPolicy         Kind = 17 // a policy revision was published or refused
	KindLogin          Kind = 18 // a principal signed in, or failed to
	KindUndo           Kind = 19 // an undo plan was captured, applied or dropped
	KindStream         Kind = 20 // a piece of a command's stream, such as what a terminal showed
)

var kindNames = [...]string{
	KindSessionOpen: "session_open", KindSessionClose: "session_close", KindCommand: "command",
	KindOutcome: "outcome", KindRefusal: "refusal", KindHold: "hold", KindHoldDecided: "hold_decided",
	KindRows: "rows", KindNotice: "notice", KindLock: "lock", KindEdge: "edge", KindAdmin: "admin",
	KindRequest: "request", KindRequestDecided: "request_decided", KindGrant: "grant",
	KindCredential: "credential", KindPolicy: "policy", KindLogin: "login", KindUndo: "undo", KindStream: "stream",
}

func (k Kind) valid() bool { return k != 0 && int(k) < len(kindNames) }

// String returns the kind's name, such as "session_open".
func (k Kind) String() string {
	if !k.valid() {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// MarshalText returns the kind's name; an unknown kind is an error.
func (k Kind) MarshalText() ([]byte, error) {
	if !k.valid() {
		return nil, invalid("unknown kind")
	}
	return []byte(kindNames[k]), nil
}

// ParseKind returns the kind with that name.
func ParseKind(name string) (Kind, error) {
	for k := KindSessionOpen; k.valid(); k++ {
		if kindNames[k] == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("%w: unknown kind %q", ErrInvalid, name)
}
