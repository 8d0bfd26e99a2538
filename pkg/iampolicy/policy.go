package iampolicy

import (
	"slices"
	"strings"
)

// Limits of a document. IAM's own are narrower: 10,240 characters of inline policies, 6,144 of a managed one, white
// space not counted; AWS itself has managed policies of over 131,072.
const (
	MaxDocument = 256 << 10 // bytes, decoded
	maxDepth    = 12
	maxValues   = 50_000
)

// Effect of a statement. The zero value is neither, and is not found in a parsed policy.
type Effect uint8

// The effects.
const (
	Deny Effect = iota + 1
	Allow
)

// Versions of the policy language. A document that names none is of the old one, in which ${...} is plain text.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Policy is a parsed document. The zero value is no policy: nothing may be concluded from it.
type Policy struct {
	Version    string
	ID         string
	Statements []Statement
	text       string
}

// Text is the document as it was parsed, decoded.
func (p Policy) Text() string { return p.text }

// Statement is one statement of a policy. Of Actions and NotActions exactly one is set, as of Resources and
// NotResources unless there is a principal.
type Statement struct {
	Index        int // in the document, from 0
	Sid          string
	Effect       Effect
	Principal    *Principal // only in trust and resource policies
	Actions      []string
	NotActions   []string
	Resources    []string
	NotResources []string
	Conditions   []Condition
	Text         string // as it stands in the document
	Start, End   int    // of Text, in bytes of the decoded document

	actions   []pattern // of Actions or NotActions, in lower case
	resources []template
}

// Principal says whom a statement of a trust or resource policy is about.
type Principal struct {
	Not bool                // NotPrincipal
	Any bool                // "*"
	IDs map[string][]string // by kind: AWS, Service, Federated, CanonicalUser
}

// Condition compares one key of the request with values. All conditions of a statement must hold.
type Condition struct {
	Operator string // such as "ForAnyValue:StringLikeIfExists"
	Key      string
	Values   []string
}

// onEverything reports whether the statement is about all resources, and on them without conditions.
func (s *Statement) onEverything() bool { return len(s.Conditions) == 0 && s.allResources() }

// allResources reports whether the statement names every resource, and not only in its words.
func (s *Statement) allResources() bool {
	return slices.ContainsFunc(s.Resources, func(r string) bool { return strings.Trim(r, "*") == "" })
}
