package awsmodel

import (
	"net/url"
	"strings"
)

// pair is one parameter of a query or form, decoded.
type pair struct{ name, value string }

// maxPairs bounds the parameters of a query or form.
const maxPairs = 20000

// parsePairs reads a query or a form. An empty string has no pairs. In a form "+" is a space; in a query AWS's services
// differ about it, so that it is refused.
func parsePairs(raw string, form bool) ([]pair, error) {
	kind, part := ErrQuery, "query"
	if form {
		kind, part = ErrBody, "form"
	}
	if raw == "" {
		return nil, nil
	}
	var out []pair
	for more := true; more; {
		var p string
		p, raw, more = strings.Cut(raw, "&")
		if len(out) == maxPairs {
			return nil, refuse(ErrTooLarge, part, "too many parameters", "")
		}
		if p == "" {
			return nil, refuse(kind, part, "an empty parameter", "")
		}
		name, value, _ := strings.Cut(p, "=")
		var err error
		if name, err = unescape(name, form); err == nil {
			value, err = unescape(value, form)
		}
		if err != nil {
			return nil, refuse(kind, part, "a parameter that is not well encoded", "send %20 for a space and %2B for a plus")
		}
		out = append(out, pair{name, value})
	}
	return out, nil
}

func unescape(s string, form bool) (string, error) {
	if strings.ContainsAny(s, ";") {
		return "", url.EscapeError(s)
	}
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	if form {
		return url.QueryUnescape(s)
	}
	if strings.Contains(s, "+") {
		return "", url.EscapeError(s)
	}
	return url.PathUnescape(s)
}

// signature are the parameters of a presigned request, which are no operation's.
var signature = map[string]bool{
	"X-Amz-Algorithm": true, "X-Amz-Credential": true, "X-Amz-Date": true, "X-Amz-Expires": true, "X-Amz-SignedHeaders": true,
	"X-Amz-Signature": true, "X-Amz-Security-Token": true, "X-Amz-Content-Sha256": true, "X-Amz-Region-Set": true,
}

// splitQuery parts a query into the operation's parameters and the headers that presigning puts there. A parameter of
// the signature may not be repeated.
func splitQuery(raw string) (query, hoisted []pair, err error) {
	pairs, err := parsePairs(raw, false)
	if err != nil || len(pairs) == 0 {
		return nil, nil, err
	}
	seen := map[string]bool{}
	query = pairs[:0:0]
	for _, p := range pairs {
		lower := strings.ToLower(p.name)
		switch {
		case !strings.HasPrefix(lower, "x-amz-"):
			query = append(query, p)
			continue
		case seen[lower]:
			return nil, nil, refuse(ErrQuery, "query parameter "+lower, "it stands there twice", "")
		case !signature[p.name]:
			hoisted = append(hoisted, pair{lower, p.value})
		}
		seen[lower] = true
	}
	return query, hoisted, nil
}
