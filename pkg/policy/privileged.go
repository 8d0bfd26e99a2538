package policy

import (
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// PrivilegedFile is the file of a bundle that changes which IAM actions make a role privileged.
const PrivilegedFile = "privileged.yaml"

// maxPrivileged bounds the entries of each list of the file.
const maxPrivileged = 500

// PrivilegedActions are changes to Writ's own list of privileged IAM actions: actions such as "kms:Decrypt", and patterns of them.
type PrivilegedActions struct {
	Add    []string `yaml:"add"`
	Remove []string `yaml:"remove"`
}

// PrivilegedActions returns what the bundle's PrivilegedFile says; nothing where it has none. Whether the entries are actions, and those
// removed on the list, is for whoever knows the list to check.
func (s *Set) PrivilegedActions() PrivilegedActions { return s.privileged }

// readPrivileged reads a PrivilegedFile.
func readPrivileged(name string, text []byte) (p PrivilegedActions, problem *Problem) {
	defer func() {
		if r := recover(); r != nil { // the parser is not ours
			p, problem = PrivilegedActions{}, &Problem{File: name, Message: "privileged actions cannot be read"}
		}
	}()
	if line, message := unreadable(text); message != "" {
		return p, &Problem{File: name, Line: line, Message: message}
	}
	doc, err := parser.ParseBytes(text, 0)
	switch {
	case err != nil:
		return p, yamlProblem(name, err)
	case len(doc.Docs) > 1:
		return p, &Problem{File: name, Message: "more than one YAML document"}
	case len(doc.Docs) == 0 || doc.Docs[0].Body == nil:
		return p, nil
	}
	body := doc.Docs[0].Body
	if line := referenceLine(body); line > 0 {
		return p, &Problem{File: name, Line: line, Message: "anchors, aliases, tags and merges are not allowed"}
	}
	if err := yaml.NodeToValue(body, &p, yaml.Strict()); err != nil {
		return PrivilegedActions{}, yamlProblem(name, err)
	}
	if n := max(len(p.Add), len(p.Remove)); n > maxPrivileged {
		return PrivilegedActions{}, &Problem{File: name, Message: fmt.Sprintf("%d actions; at most %d are possible", n, maxPrivileged), Hint: "use patterns such as athena:*"}
	}
	return p, nil
}
