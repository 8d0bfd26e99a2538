package iampolicy

import "strings"

// Context is what is known of a request's condition keys, whatever their case. A key that is not in it is not known;
// one with no values is known to be absent from the request. A key in two spellings, neither of them the policy's, is
// not known either.
type Context map[string][]string

func (c Context) get(key string) ([]string, bool) {
	if values, ok := c[key]; ok {
		return values, true
	}
	var found []string
	spellings := 0
	for k, values := range c {
		if strings.EqualFold(k, key) {
			found = values
			spellings++
		}
	}
	if spellings != 1 {
		return nil, false
	}
	return found, true
}

// Outcome is what AWS would say. The zero value is that it would refuse.
type Outcome uint8

// The outcomes.
const (
	ImplicitDeny Outcome = iota // nothing allows it
	ExplicitDeny                // a statement denies it
	Undecided                   // it depends on what is not known
	Permit                      // allowed, and nothing denies it
)

func (o Outcome) String() string {
	return [...]string{"implicit deny", "explicit deny", "undecided", "permit"}[o]
}

// Decision is an outcome with the statements that bring it about.
type Decision struct {
	Outcome Outcome
	// Because are the statements that deny, or that allow, or on which it depends. Of an implicit deny there are none.
	Because []Match
}

// Match is a statement and whether it applies.
type Match struct {
	Document  string // ARN or name
	Statement Statement
	Applies   Truth // True or Unknown
}

// Evaluate predicts what AWS says to one request through the role's own policies, after
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. Policies of the resource
// and of the session are not looked at. The action is written as IAM does ("s3:GetObject"), the resource is an ARN, or "*" for
// actions that have none. Refused, with [ErrRole], is what Analyse refuses.
func Evaluate(r Role, action, resource string, c Context) (Decision, error) {
	if err := r.validate(); err != nil {
		return Decision{}, err
	}
	e := evaluator{literal(strings.ToLower(action)), resource, c}
	allowed, matches := e.group(r.identity(), Allow)
	denied, denials := e.group(r.identity(), Deny)
	for _, group := range r.bounds() {
		truth, more := e.group(group, Allow)
		allowed, matches = allowed.and(truth), append(matches, more...)
		truth, more = e.group(group, Deny)
		denied, denials = denied.or(truth), append(denials, more...)
	}
	switch {
	case denied == True:
		return Decision{ExplicitDeny, applying(denials)}, nil
	case allowed == False:
		return Decision{ImplicitDeny, nil}, nil
	case allowed == True && denied == False:
		return Decision{Permit, applying(matches)}, nil
	}
	return Decision{Undecided, append(matches, denials...)}, nil
}

// applying drops what may or may not apply.
func applying(matches []Match) []Match {
	var out []Match
	for _, m := range matches {
		if m.Applies == True {
			out = append(out, m)
		}
	}
	return out
}

// evaluator holds one request.
type evaluator struct {
	action   pattern
	resource string
	context  Context
}

// group says whether a statement with the effect applies, and which do or may.
func (e evaluator) group(documents []Document, effect Effect) (Truth, []Match) {
	result := False
	var matches []Match
	for _, d := range documents {
		for _, s := range d.Policy.Statements {
			if s.Effect != effect {
				continue
			}
			truth := e.applies(&s, d.Policy.Version)
			if truth != False {
				matches = append(matches, Match{d.title(), s, truth})
			}
			result = result.or(truth)
		}
	}
	return result, matches
}

func (e evaluator) applies(s *Statement, version string) Truth {
	action := anyOf(s.actions, func(p pattern) Truth { return truthOf(p.covers(e.action)) })
	if s.NotActions != nil {
		action = action.not()
	}
	if action == False {
		return False
	}
	resource := anyOf(s.resources, e.matches)
	if s.NotResources != nil {
		resource = resource.not()
	}
	result := resource
	for _, c := range s.Conditions {
		result = result.and(c.holds(e.context, version))
	}
	return result
}

// matches says whether the request's resource is one of the template's. Whether a wildcard reaches over the colons of
// an ARN is said in different ways in different places; where it matters, the answer is not known.
func (e evaluator) matches(t template) Truth {
	p, ok := t.fill(e.context)
	if !ok {
		return Unknown
	}
	p = p.normal()
	resource := literal(e.resource)
	whole := p.covers(resource)
	if !strings.HasPrefix(e.resource, "arn:") || p.all() {
		return truthOf(whole)
	}
	if arnCovers(p, resource, true) != whole {
		return Unknown
	}
	return truthOf(whole)
}

// arnParts is the number of parts between the colons of an ARN; the last may have colons itself.
const arnParts = 6

// arnCovers compares ARNs part by part. Parts that are missing stand for everything if that is asked for.
func arnCovers(p, q pattern, complete bool) bool {
	ps, qs := splitARN(p), splitARN(q)
	for complete && len(ps) < arnParts {
		ps = append(ps, pattern{anyRun})
	}
	for complete && len(qs) < arnParts {
		qs = append(qs, pattern{anyRun})
	}
	if len(ps) != len(qs) {
		return false
	}
	for i := range ps {
		if !ps[i].covers(qs[i]) {
			return false
		}
	}
	return true
}

func splitARN(p pattern) []pattern {
	var parts []pattern
	start := 0
	for i, r := range p {
		if r == ':' && len(parts) < arnParts-1 {
			parts = append(parts, p[start:i])
			start = i + 1
		}
	}
	return append(parts, p[start:])
}
