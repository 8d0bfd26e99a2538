package iampolicy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
)

// Document is a policy with what identifies it. Managed policies have an ARN and a version; inline ones a name.
type Document struct {
	Name    string
	ARN     string
	Version string // such as "v3"
	Policy  Policy
}

// title is how errors and digests call it.
func (d Document) title() string { return cmp.Or(d.ARN, d.Name) }

// Role is a role with all policies that say what it may do.
type Role struct {
	ARN      string
	Attached []Document
	Inline   []Document
	Boundary *Document // the permissions boundary; nil is none
	// ServiceControl holds the service control policies of each level from the organisation's root to the account.
	// A level that is not known is left out: leaving out can only make a role look more privileged. For service-linked
	// roles, and for all roles of the management account, AWS does not heed them: there they must be left out.
	ServiceControl [][]Document
}

// identity lists the documents that give permissions.
func (r Role) identity() []Document { return slices.Concat(r.Attached, r.Inline) }

// bounds lists the groups of documents that take permissions away: each group must allow what is to be allowed.
func (r Role) bounds() [][]Document {
	var b [][]Document
	if r.Boundary != nil {
		b = append(b, []Document{*r.Boundary})
	}
	return append(b, r.ServiceControl...)
}

// validate refuses what would make a role look harmless: policies that were never parsed, and those of other kinds.
func (r Role) validate() error {
	if r.ARN == "" {
		return fmt.Errorf("%w: no ARN", ErrRole)
	}
	for i, level := range r.ServiceControl {
		if len(level) == 0 {
			return fmt.Errorf("%w: no service control policies at level %d, where AWS has at least one", ErrRole, i)
		}
	}
	for _, group := range append([][]Document{r.Attached, r.Inline}, r.bounds()...) {
		for _, d := range group {
			if err := d.validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d Document) validate() error {
	switch {
	case d.title() == "":
		return fmt.Errorf("%w: a policy without a name", ErrRole)
	case d.ARN != "" && d.Version == "":
		return fmt.Errorf("%w: %s has no version", ErrRole, d.ARN)
	case len(d.Policy.Statements) == 0:
		return fmt.Errorf("%w: %s was not parsed", ErrRole, d.title())
	}
	for _, s := range d.Policy.Statements {
		if s.Principal != nil {
			return fmt.Errorf("%w: %s names a principal, as policies of roles cannot", ErrRole, d.title())
		}
	}
	return nil
}

// Seen is a document that an analysis rests on.
type Seen struct {
	Use     string // "attached", "inline", "boundary" or "service control"
	Name    string
	ARN     string
	Version string
	SHA256  string // of the decoded text, in hex
}

// seen lists all documents in an order that does not depend on how they were listed.
func (r Role) seen() []Seen {
	var all []Seen
	add := func(use string, documents ...Document) {
		for _, d := range documents {
			sum := sha256.Sum256([]byte(d.Policy.text))
			all = append(all, Seen{use, d.Name, d.ARN, d.Version, hex.EncodeToString(sum[:])})
		}
	}
	add("attached", r.Attached...)
	add("inline", r.Inline...)
	if r.Boundary != nil {
		add("boundary", *r.Boundary)
	}
	for i, level := range r.ServiceControl {
		add(fmt.Sprintf("service control, level %d", i), level...)
	}
	slices.SortFunc(all, func(a, b Seen) int {
		return cmp.Or(cmp.Compare(a.Use, b.Use), cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.Name, b.Name), cmp.Compare(a.SHA256, b.SHA256))
	})
	return all
}

// Digest identifies what [Analyse] would look at: the role, each policy's name, version and text, and the catalog. An
// analysis with another digest is stale.
func (r Role) Digest(c Catalog) string {
	h := sha256.New()
	write(h, "writ role analysis 1", r.ARN, c.digest, fmt.Sprint(len(r.ServiceControl)))
	for _, s := range r.seen() {
		write(h, s.Use, s.Name, s.ARN, s.Version, s.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// write hashes texts so that no two lists give the same bytes.
func write(h hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
}
