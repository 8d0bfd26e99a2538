package kubeapi

import (
	"slices"
	"strings"
)

// selectedName returns the one name that a field selector asks for by metadata.name, as the API server finds it: terms
// are sorted as written, and the first that must equal counts, if it can be a name.
// Source: ParseSelector in k8s.io/apimachinery/pkg/fields.
func selectedName(selector string) (string, bool, error) {
	terms, err := fieldTerms(selector)
	if err != nil {
		return "", false, err
	}
	slices.Sort(terms)
	name, found := "", false
	for _, t := range terms { // all of them: the server reads none of a selector in which one is malformed
		field, value, equal, err := fieldTerm(t)
		if err != nil {
			return "", false, err
		}
		if !found && equal && field == "metadata.name" {
			name, found = value, true
		}
	}
	return name, name != "", checkSelected(name)
}

func badFields(why string) error {
	return refuse(ErrQuery, "query parameter fieldSelector", why, "write FIELD=VALUE, FIELD==VALUE or FIELD!=VALUE, separated by commas")
}

// checkSelected holds a selected name to what a name in a path is held to.
func checkSelected(name string) error {
	for i := 0; i < len(name); i++ {
		if badByte(name[i]) != "" {
			return badFields("metadata.name has a character that no name has")
		}
	}
	if name == "." || name == ".." || len(name) > MaxName || strings.TrimSpace(name) != name {
		return badFields("metadata.name is no name of an object")
	}
	return nil
}

// fieldTerms splits a selector at commas that no backslash escapes.
func fieldTerms(selector string) ([]string, error) {
	var terms []string
	start, escaped := 0, false
	for i, c := range selector {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == ',':
			terms = append(terms, selector[start:i])
			start = i + 1
		}
	}
	if escaped {
		return nil, badFields("ends with a backslash")
	}
	terms = append(terms, selector[start:])
	return slices.DeleteFunc(terms, func(t string) bool { return t == "" }), nil
}

// fieldTerm takes one term apart.
func fieldTerm(term string) (field, value string, equal bool, err error) {
	at := strings.IndexByte(term, '=')
	if at < 0 {
		return "", "", false, badFields("a term without = or !=")
	}
	field, value, equal = term[:at], term[at+1:], true
	if not := strings.HasSuffix(field, "!"); not {
		field, equal = field[:at-1], false
	} else {
		value = strings.TrimPrefix(value, "=")
	}
	if !isField(field) {
		return "", "", false, badFields("a field with characters that no field has")
	}
	value, err = unescapeField(value)
	return field, value, equal, err
}

func isField(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isUnreserved(s[i]) && strings.IndexByte("[]/'\"", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// unescapeField takes off the backslashes before comma, equals sign and backslash; a bare comma or equals sign, or
// another escape, is an error.
func unescapeField(s string) (string, error) {
	var b strings.Builder
	escaped := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		special := c == ',' || c == '=' || c == '\\'
		switch {
		case escaped && !special, !escaped && special && c != '\\':
			return "", badFields("a value with an escape or sign that no value has")
		case !escaped && c == '\\':
			escaped = true
			continue
		}
		escaped = false
		b.WriteByte(c)
	}
	return b.String(), nil
}
