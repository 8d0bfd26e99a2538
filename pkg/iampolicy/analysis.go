package iampolicy

import (
	"slices"
	"strings"
)

// Verdict is how far a role may take an action. The zero value is the widest, so that what was left out by mistake
// counts as privileged.
type Verdict uint8

// The verdicts on privileged actions. What a role may not do is not listed.
const (
	Allowed     Verdict = iota // for some requests without conditions
	Conditional                // only where conditions hold
)

func (v Verdict) String() string { return [...]string{"allowed", "allowed under conditions"}[v] }

// Source is a statement that allows privileged actions, with where it stands.
type Source struct {
	Use         string // "attached" or "inline"
	Policy      string
	ARN         string // of managed policies
	Version     string // of managed policies
	Sid         string
	Index       int // of the statement, from 0
	Text        string
	Conditional bool
	// AllResources says that the statement is about every resource. Otherwise Resources are those it names, or
	// NotResources those it leaves out.
	AllResources            bool
	Resources, NotResources []string
}

// Privilege is a privileged action that the role may take. Verdict and AllResources are the widest that any statement
// gives and every boundary leaves, each on its own.
type Privilege struct {
	Action       string // as the catalog writes it
	Class        Class
	Verdict      Verdict
	AllResources bool
	Because      []Because
}

// Because is one statement that allows an action.
type Because struct {
	Source  int    // in Analysis.Sources
	Pattern string // what matched in Action; "" when NotAction leaves the action out
}

// Analysis is what makes a role privileged. It holds no pointers and can be stored as JSON.
type Analysis struct {
	Role       string
	Digest     string // as Role.Digest gave it; "" is of an analysis that was never made
	Seen       []Seen
	Sources    []Source    // statements that allow something privileged, in the order of the documents
	Privileges []Privilege // by action
}

// Privileged reports whether the role may do anything privileged, under whatever conditions. So is a role that was never
// analysed.
func (a Analysis) Privileged() bool { return a.Digest == "" || len(a.Privileges) > 0 }

// Actions lists the privileged actions, for policies to decide on. A role that was never analysed may do all: "*".
func (a Analysis) Actions() []string {
	if a.Digest == "" {
		return []string{"*"}
	}
	var actions []string
	for _, p := range a.Privileges {
		actions = append(actions, p.Action)
	}
	return actions
}

// Find returns what was found of an action of the catalog.
func (a Analysis) Find(action string) (Privilege, bool) {
	i := slices.IndexFunc(a.Privileges, func(p Privilege) bool { return strings.EqualFold(p.Action, action) })
	if i < 0 {
		return Privilege{}, false
	}
	return a.Privileges[i], true
}

// Classes lists the classes of what was found, without repeats, in order.
func (a Analysis) Classes() []Class {
	var classes []Class
	for _, p := range a.Privileges {
		classes = append(classes, p.Class)
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// Reason is one statement with all that it allows, for people.
type Reason struct {
	Source  Source
	Classes []Class
	Actions []string
}

// Reasons lists the statements that make the role privileged, in the order of the documents.
func (a Analysis) Reasons() []Reason {
	reasons := make([]Reason, len(a.Sources))
	for i, s := range a.Sources {
		reasons[i].Source = s
	}
	for _, p := range a.Privileges {
		for _, b := range p.Because {
			r := &reasons[b.Source]
			r.Actions = append(r.Actions, p.Action)
			if i, found := slices.BinarySearch(r.Classes, p.Class); !found {
				r.Classes = slices.Insert(r.Classes, i, p.Class)
			}
		}
	}
	return reasons
}
