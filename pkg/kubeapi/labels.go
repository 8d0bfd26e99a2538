package kubeapi

import (
	"regexp"
	"strings"
)

// labelTerm is one term of a label selector, a little narrower than the API server's own grammar (labels.Parse in
// k8s.io/apimachinery). A selector that the server cannot read makes it take the whole query for less than it is.
var labelTerm = func() *regexp.Regexp {
	const (
		dns   = `[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?`
		word  = `[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?`
		key   = `(?:` + dns + `(?:\.` + dns + `)*/)?` + word
		value = `(?:` + word + `)?`
		set   = `\( *` + value + ` *(?:, *` + value + ` *)*\)`
	)
	return regexp.MustCompile(`^ *(?:! *` + key + `|` + key + `(?: *(?:==?|!=) *` + value + `| +(?:not)?in *` + set + `| *[<>] *[0-9]{1,18})?) *$`)
}()

func checkLabels(part, selector string) error {
	if selector == "" {
		return nil
	}
	for _, term := range labelTerms(selector) {
		prefix, _, slash := strings.Cut(strings.TrimLeft(term, " !"), "/")
		if !labelTerm.MatchString(term) || slash && len(prefix) > MaxName {
			return refuse(ErrQuery, part, "a term that is no selector", "write KEY, !KEY, KEY=VALUE, KEY!=VALUE, KEY in (A,B) or KEY notin (A,B)")
		}
	}
	return nil
}

// labelTerms splits a selector at commas outside of parentheses.
func labelTerms(selector string) []string {
	var terms []string
	start, depth := 0, 0
	for i := 0; i < len(selector); i++ {
		switch selector[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				terms = append(terms, selector[start:i])
				start = i + 1
			}
		}
	}
	return append(terms, selector[start:])
}
