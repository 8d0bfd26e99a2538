package awsmodel

import (
	"net/url"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// identifyREST finds the operation of a REST service by method, path, query and headers.
func (a *api) identifyREST(r Request, in input, at location) (Call, error) {
	path, err := a.restPath(r.Path, at)
	if err != nil {
		return Call{}, err
	}
	var bucket string
	if a.ID == "s3" {
		if path, bucket, err = bucketPath(path, at.bucket); err != nil {
			return Call{}, err
		}
	}
	found, why := a.routes.find(r.Method, path, &in, a.ID == "s3")
	switch {
	case len(found) == 0 && why != "":
		return Call{}, refuse(ErrQuery, "query parameter "+clip(why), "it is unknown to the operation, or repeated", "")
	case len(found) == 0:
		return Call{}, refuse(ErrOperation, "method and path", "the service has no such operation", "")
	case len(found) > 1 && !alias(found):
		return Call{}, refuse(ErrAmbiguous, "request", "it could be "+found[0].op.Name+" or "+found[1].op.Name, "")
	}
	if a.ID != "s3" && a.routes.shifts(r.Method, path, &in, found[0]) {
		return Call{}, refuse(ErrAmbiguous, "path", "with its slashes decoded it is another operation's", "")
	}
	if found[0].op.Flags&modelfile.Deprecated != 0 {
		slices.Reverse(found)
	}
	in.labels = found[0].labels
	for i, l := range in.labels {
		if in.labels[i], err = url.PathUnescape(l); err != nil {
			return Call{}, refuse(ErrPath, "path", "it is not well encoded", "")
		}
	}
	in.path = path
	c := newCall(a, found[0].op, a.rest, in)
	c.Bucket = bucket
	return c, nil
}

// restPath takes the base away that a service's own hosts have, and refuses what services may read differently.
func (a *api) restPath(path string, at location) (string, error) {
	if a.Base != "" && at.host != "" {
		rest, ok := strings.CutPrefix(path, a.Base)
		if !ok {
			return "", refuse(ErrPath, "path", "it does not start with "+a.Base, "")
		}
		path = rest
	}
	if path == "" {
		path = "/"
	}
	if path[0] != '/' {
		return "", refuse(ErrPath, "path", "it does not start with a slash", "")
	}
	if a.ID == "s3" {
		return path, nil
	}
	return path, checkPath(path)
}

// checkPath refuses empty and dot segments, and letters that need no encoding and are encoded.
func checkPath(path string) error {
	parts := strings.Split(path[1:], "/")
	for i, p := range parts {
		plain := p
		if strings.Contains(p, "%") {
			var err error
			if plain, err = url.PathUnescape(p); err != nil || overEncoded(p) {
				return refuse(ErrPath, "path", "a segment is not well encoded", "encode what must be, and nothing else")
			}
		}
		if plain == "." || plain == ".." || plain == "" && i < len(parts)-1 {
			return refuse(ErrPath, "path", "a segment is empty or a dot", "")
		}
		if strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.ContainsAny(p, ";\\") {
			return refuse(ErrPath, "path", "a character that is not allowed", "")
		}
	}
	return nil
}

// overEncoded says that a letter, digit, "-", "_" or "." is percent-encoded.
func overEncoded(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		b := unhex(s[i+1])<<4 | unhex(s[i+2])
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_' || b == '.' {
			return true
		}
	}
	return false
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0
}

// shifts says that a server which decodes the path before it looks for the operation would find another.
func (rs routes) shifts(method, path string, in *input, m matched) bool {
	if !strings.Contains(path, "%2") {
		return false
	}
	decoded := strings.NewReplacer("%2F", "/", "%2f", "/").Replace(path)
	if decoded == path {
		return false
	}
	found, _ := rs.find(method, decoded, in, false)
	return slices.ContainsFunc(found, func(f matched) bool { return f.op != m.op })
}

// matched is a route with the values of its labels.
type matched struct {
	*route
	labels []string
}

// find returns the routes that a request is for: several only when none is more specific. Without one it may return the
// query's parameter that kept the last from being it.
func (rs routes) find(method, path string, in *input, s3 bool) (best []matched, why string) {
	trimmed := strings.Trim(path, "/")
	slash := len(path) > 1 && strings.HasSuffix(path, "/")
	parts := strings.Split(trimmed, "/")
	if s3 {
		parts = strings.Split(strings.TrimPrefix(path, "/"), "/")
		if len(parts) == 2 && parts[1] == "" {
			parts = parts[:1]
		}
		slash = false
	}
	if trimmed == "" {
		parts = nil
	}
	first := ""
	if len(parts) > 0 {
		first = parts[0]
	}
	keys := [2]routeKey{{method, first}, {method, ""}}
	for i, k := range keys {
		if i == 1 && first == "" {
			break
		}
		for _, r := range rs[k] {
			if !r.match(parts, slash, s3) || !r.takes(in.query, in) {
				continue
			}
			if name, bad := r.unknownQuery(in.query); bad {
				why = name
				continue
			}
			best = keep(best, matched{r, nil})
		}
	}
	for i, m := range best {
		best[i].labels = m.route.labels(parts, slash)
	}
	return best, why
}

// alias says that two operations are one under an older and a newer name: they need the same actions.
func alias(found []matched) bool {
	return len(found) == 2 && len(found[0].op.Actions) > 0 && sameActions(found[0].op.Actions, found[1].op.Actions) &&
		(found[0].op.Flags^found[1].op.Flags)&modelfile.Deprecated != 0
}

func keep(best []matched, m matched) []matched {
	if len(best) == 0 {
		return []matched{m}
	}
	switch c := slices.Compare(m.weight, best[0].weight); {
	case c > 0:
		return []matched{m}
	case c == 0:
		return append(best, m)
	}
	return best
}
