package iampolicy

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Parse reads a policy document of identity, boundary, service control, session, trust or resource policies, as JSON
// or percent-encoded as IAM's API returns it. It reads the whole grammar of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html and nothing else: elements are
// spelt exactly, unknown ones and keys given twice are refused. Errors are [ErrSyntax] or [ErrTooLarge].
func Parse(document []byte) (Policy, error) {
	text, err := decodeDocument(document)
	if err != nil {
		return Policy{}, err
	}
	root, err := readJSON(text)
	if err != nil {
		return Policy{}, err
	}
	p := Policy{Version: Version2008, text: text}
	e, err := newElement(root, "document", "Version", "Id", "Statement")
	if err != nil {
		return Policy{}, err
	}
	if err := e.text("Version", &p.Version); err != nil {
		return Policy{}, err
	}
	if p.Version != Version2008 && p.Version != Version2012 {
		return Policy{}, e.refuse("Version", "neither "+Version2012+" nor "+Version2008)
	}
	if err := e.text("Id", &p.ID); err != nil {
		return Policy{}, err
	}
	p.Statements, err = parseStatements(e, p.Version)
	if err != nil {
		return Policy{}, err
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		s.Text = text[s.Start:s.End]
	}
	return p, nil
}

// decodeDocument returns the JSON text. A document begins with a brace or white space, an encoded one with a percent sign.
func decodeDocument(document []byte) (string, error) {
	if len(document) > 3*MaxDocument {
		return "", fmt.Errorf("%w: over %d bytes", ErrTooLarge, MaxDocument)
	}
	text := string(document)
	if strings.HasPrefix(text, "%") {
		decoded, err := url.PathUnescape(text)
		if err != nil {
			return "", &SyntaxError{"document", 0, "broken percent-encoding"}
		}
		text = decoded
	}
	if len(text) > MaxDocument {
		return "", fmt.Errorf("%w: over %d bytes", ErrTooLarge, MaxDocument)
	}
	return text, nil
}

func parseStatements(doc element, version string) ([]Statement, error) {
	n, ok := doc.get("Statement")
	if !ok {
		return nil, doc.refuse("Statement", "missing")
	}
	list := n.list()
	if len(list) == 0 {
		return nil, doc.refuse("Statement", "empty")
	}
	sids := map[string]bool{}
	statements := make([]Statement, 0, len(list))
	for i, n := range list {
		s, err := parseStatement(n, i, version)
		if err != nil {
			return nil, err
		}
		if s.Sid != "" && sids[s.Sid] {
			return nil, &SyntaxError{fmt.Sprintf("statement %d: Sid", i), s.Start, "that of another statement"}
		}
		sids[s.Sid] = true
		statements = append(statements, s)
	}
	return statements, nil
}

func parseStatement(n node, index int, version string) (Statement, error) {
	s := Statement{Index: index, Start: n.start, End: n.end}
	e, err := newElement(n, fmt.Sprintf("statement %d", index), "Sid", "Effect", "Principal", "NotPrincipal",
		"Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return s, err
	}
	if err := e.text("Sid", &s.Sid); err != nil {
		return s, err
	}
	for _, read := range []func(element) error{s.readEffect, s.readPrincipal, s.readActions, s.readConditions} {
		if err := read(e); err != nil {
			return s, err
		}
	}
	return s, s.readResources(e, version)
}

func (s *Statement) readEffect(e element) error {
	var effect string
	if err := e.text("Effect", &effect); err != nil {
		return err
	}
	switch effect {
	case "Allow":
		s.Effect = Allow
	case "Deny":
		s.Effect = Deny
	default:
		return e.refuse("Effect", "neither Allow nor Deny")
	}
	return nil
}

func (s *Statement) readActions(e element) error {
	name, err := e.oneOf("Action", "NotAction")
	if err != nil {
		return err
	}
	if name == "" {
		return e.refuse("Action", "missing")
	}
	values, err := e.texts(name)
	if err != nil {
		return err
	}
	for _, v := range values {
		if !validAction(v) {
			return e.refuse(name, "an action is not service:name")
		}
		s.actions = append(s.actions, newActionPattern(v))
	}
	if name == "Action" {
		s.Actions = values
	} else {
		s.NotActions = values
	}
	return nil
}

func (s *Statement) readResources(e element, version string) error {
	name, err := e.oneOf("Resource", "NotResource")
	if err != nil {
		return err
	}
	if name == "" {
		if s.Principal == nil {
			return e.refuse("Resource", "missing")
		}
		return nil
	}
	values, err := e.texts(name)
	if err != nil {
		return err
	}
	for _, v := range values {
		if len(v) > maxResource {
			return e.refuse(name, fmt.Sprintf("a resource of over %d bytes", maxResource))
		}
		s.resources = append(s.resources, newTemplate(v, version))
	}
	if name == "Resource" {
		s.Resources = values
	} else {
		s.NotResources = values
	}
	return nil
}

func (s *Statement) readPrincipal(e element) error {
	name, err := e.oneOf("Principal", "NotPrincipal")
	if err != nil || name == "" {
		return err
	}
	n, _ := e.get(name)
	p := &Principal{Not: name == "NotPrincipal"}
	s.Principal = p
	if n.kind == jsonString && n.text == "*" {
		p.Any = true
		return nil
	}
	kinds, err := newElement(n, e.name+": "+name, "AWS", "Service", "Federated", "CanonicalUser")
	if err != nil {
		return err
	}
	p.IDs = map[string][]string{}
	for _, m := range n.members {
		if p.IDs[m.key], err = kinds.texts(m.key); err != nil {
			return err
		}
		p.Any = p.Any || m.key == "AWS" && slices.Contains(p.IDs[m.key], "*")
	}
	if len(p.IDs) == 0 {
		return e.refuse(name, "empty")
	}
	return nil
}

func (s *Statement) readConditions(e element) error {
	block, ok := e.get("Condition")
	if !ok {
		return nil
	}
	if block.kind != jsonObject {
		return e.refuse("Condition", "not an object")
	}
	for _, operator := range block.members {
		if len(operator.value.members) == 0 || operator.key == "" {
			return e.refuse("Condition", "an operator without keys")
		}
		for _, key := range operator.value.members {
			c := Condition{Operator: operator.key, Key: key.key}
			if key.key == "" {
				return e.refuse("Condition", "a key without a name")
			}
			for _, v := range key.value.list() {
				if v.kind != jsonString && v.kind != jsonScalar {
					return e.refuse("Condition", "a value is not text, a number or a boolean")
				}
				c.Values = append(c.Values, v.text)
			}
			s.Conditions = append(s.Conditions, c)
		}
	}
	return nil
}

// validAction reports whether a text can stand for actions: "*", or a service and a name, each with wildcards.
func validAction(s string) bool {
	if s == "*" {
		return true
	}
	service, name, ok := strings.Cut(s, ":")
	return ok && service != "" && name != "" && len(s) <= maxAction && !strings.ContainsFunc(service+name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' || r == '*' || r == '?')
	})
}

// Limits in bytes. IAM's longest action has 71; AWS's longest ARNs, those of objects in S3, have some 1,100.
const (
	maxAction   = 256
	maxResource = 4096
)
