package kubetest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// Stages of a request at the API server. Every request that arrived ends in one of the last two; long-running ones tell of
// their start too.
const (
	ResponseStarted  = "ResponseStarted"
	ResponseComplete = "ResponseComplete"
	Panic            = "Panic"
)

// AuditEvent is a line of the API server's audit log (audit.k8s.io/v1 Event). The lab's own parts are left out. Bodies are there
// of writes only.
type AuditEvent struct {
	AuditID          string `json:"auditID"`
	Stage            string
	RequestURI       string `json:"requestURI"`
	Verb             string
	User             AuditUser
	ImpersonatedUser *AuditUser
	SourceIPs        []string `json:"sourceIPs"`
	UserAgent        string
	ObjectRef        AuditObject
	ResponseStatus   struct {
		Code            int
		Reason, Message string
	}
	RequestObject            json.RawMessage
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time
	Annotations              map[string]string
}

// AuditUser is who signed in, or in whose name it acted.
type AuditUser struct {
	Username string
	UID      string
	Groups   []string
	Extra    map[string][]string
}

// AuditObject is what a request was about; all of it is empty where the path is not one of the API.
type AuditObject struct {
	Resource, Namespace, Name, Subresource string
	APIGroup, APIVersion                   string
}

// Actor is the name under which the API server authorised the request.
func (e AuditEvent) Actor() string {
	if e.ImpersonatedUser != nil {
		return e.ImpersonatedUser.Username
	}
	return e.User.Username
}

func (e AuditEvent) String() string {
	return fmt.Sprintf("%s %s %s by %s as %s: %d", e.Stage, e.Verb, e.RequestURI, e.User.Username, e.Actor(), e.ResponseStatus.Code)
}

// auditWait is how long a line of the audit log may take to be there.
const auditWait = 20 * time.Second

// barrierAgent marks requests of this package, which are no part of what it reports.
const barrierAgent = "kubetest-barrier"

// Mark is a place in the audit log.
type Mark int64

// Mark gives the end of the audit log, after all that was answered so far.
func (l *Lab) Mark(t testing.TB) Mark {
	t.Helper()
	_, end := l.settled(t, 0)
	return end
}

// Audit gives what the API server was asked so far. A request that was answered, or whose answer had begun, before the call
// is among them; one that is not did not arrive.
func (l *Lab) Audit(t testing.TB) []AuditEvent {
	t.Helper()
	return l.AuditSince(t, 0)
}

// AuditSince gives what the API server was asked after the mark.
func (l *Lab) AuditSince(t testing.TB, from Mark) []AuditEvent {
	t.Helper()
	events, _ := l.settled(t, from)
	return events
}

// settled sends a request of its own and reads until it is told of.
func (l *Lab) settled(t testing.TB, from Mark) ([]AuditEvent, Mark) {
	t.Helper()
	barrier := rand.Text()
	if err := l.get(t.Context(), "/version?"+barrier, barrierAgent); err != nil {
		t.Fatalf("ask the API server for a line of its audit log: %v", err)
	}
	for deadline := time.Now().Add(auditWait); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		events, end, err := l.readAudit(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if strings.Contains(e.RequestURI, barrier) {
				return without(events), end
			}
		}
	}
	t.Fatal("the audit log does not tell of a request in time")
	return nil, 0
}

// AwaitAudit waits for an event after the mark that matches, and fails the test where none comes; what says which.
func (l *Lab) AwaitAudit(t testing.TB, from Mark, what string, match func(AuditEvent) bool) AuditEvent {
	t.Helper()
	var events []AuditEvent
	for deadline := time.Now().Add(auditWait); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var err error
		if events, _, err = l.readAudit(from); err != nil {
			t.Fatal(err)
		}
		for _, e := range without(events) {
			if match(e) {
				return e
			}
		}
	}
	t.Fatalf("the audit log does not tell of %s, but of %v", what, without(events))
	return AuditEvent{}
}

func without(events []AuditEvent) []AuditEvent {
	var kept []AuditEvent
	for _, e := range events {
		if e.UserAgent != barrierAgent {
			kept = append(kept, e)
		}
	}
	return kept
}

// readAudit reads the whole lines after the mark.
func (l *Lab) readAudit(from Mark) ([]AuditEvent, Mark, error) {
	f, err := os.Open(l.info.AuditLog)
	if err != nil {
		return nil, from, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, int64(from), 1<<62))
	if err != nil {
		return nil, from, err
	}
	var events []AuditEvent
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return events, from, nil
		}
		var e AuditEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, from, fmt.Errorf("line of the audit log: %w", err)
		}
		events, text, from = append(events, e), rest, from+Mark(len(line)+1)
	}
}
