package awsmodel

import (
	"net/url"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// resolution gathers the resources of one action.
type resolution struct {
	*facts
	out     []Resource
	unknown bool
	// missed has the ARNs that members hold: true while no type took one.
	missed map[string]bool
}

// add fills one type's template.
func (r *resolution) add(t modelfile.Resource) {
	if len(t.Binds) == 1 && t.Binds[0].Var == "" {
		r.whole(t, t.Binds[0].Path)
		return
	}
	templates, ok := []string{r.scoped(t.ARN)}, true
	for _, b := range t.Binds {
		values := r.values(b.Path)
		if len(values) == 0 {
			r.unknown = r.unknown || !t.Optional
			return
		}
		if len(t.Binds) == 1 && r.isARNs(t, values) {
			return
		}
		if templates, ok = expand(templates, b.Var, values, t); !ok {
			r.unknown = true
			return
		}
	}
	if r.foreign && strings.Contains(t.ARN, "${Account}") {
		r.unknown = true
		return
	}
	for _, arn := range templates {
		if strings.Contains(arn, "${") {
			r.unknown = true
			return
		}
		r.out = append(r.out, Resource{Kind: NamedResource, ARN: r.fold(t, arn), Type: t.Type, Pathless: t.Pathless})
	}
}

// whole takes members that are ARNs, every one of a list. One that fits no type of the action makes the resource unknown.
func (r *resolution) whole(t modelfile.Resource, path string) {
	values := r.values(path)
	if len(values) == 0 {
		r.unknown = r.unknown || !t.Optional
		return
	}
	for _, v := range values {
		if fits(v, t.ARN) {
			r.out = append(r.out, Resource{Kind: NamedResource, ARN: r.fold(t, v), Type: t.Type})
			r.missed[v] = false
		} else if _, seen := r.missed[v]; !seen {
			r.missed[v] = true
		}
	}
}

// isARNs takes a name's member when all its values are ARNs of the type.
func (r *resolution) isARNs(t modelfile.Resource, values []string) bool {
	for _, v := range values {
		if !fits(v, t.ARN) {
			return false
		}
	}
	for _, v := range values {
		r.out = append(r.out, Resource{Kind: NamedResource, ARN: r.fold(t, v), Type: t.Type})
	}
	return true
}

// scoped fills in what is the same for all resources. None of it has a brace.
func (r *resolution) scoped(template string) string {
	template = strings.ReplaceAll(template, "${Partition}", r.owner.Partition)
	template = strings.ReplaceAll(template, "${Region}", r.owner.Region)
	return strings.ReplaceAll(template, "${Account}", r.owner.Account)
}

// fold writes names in lower case where the service does.
func (r *resolution) fold(t modelfile.Resource, arn string) string {
	if t.Lower {
		return strings.ToLower(arn)
	}
	return arn
}

// expand puts each value into each template. It refuses values that would make the ARN another one's.
func expand(templates []string, variable string, values []string, t modelfile.Resource) ([]string, bool) {
	if len(templates)*len(values) > maxResources {
		return nil, false
	}
	var out []string
	for _, v := range values {
		if !fills(v, t) {
			return nil, false
		}
		for _, s := range templates {
			out = append(out, strings.ReplaceAll(s, "${"+variable+"}", v))
		}
	}
	return out, true
}

// fills says whether a value may stand for a variable: a name, which has no part of an ARN's syntax.
func fills(v string, t modelfile.Resource) bool {
	if v == "" || len(v) > 2048 || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return false
	}
	if strings.Contains(v, "${") {
		return false
	}
	return t.Free || !strings.ContainsAny(v, ":*? ") && (t.Slashes || !strings.Contains(v, "/"))
}

// fits says whether an ARN is one that a template makes, in whatever region and account.
func fits(arn, template string) bool {
	if !strings.HasPrefix(arn, "arn:") || len(arn) > 2048 || strings.ContainsAny(arn, "*?") || strings.Contains(arn, "${") || strings.ContainsFunc(arn, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return false
	}
	have, want := strings.SplitN(arn, ":", 6), strings.SplitN(template, ":", 6)
	if len(have) != 6 || len(want) != 6 {
		return false
	}
	for i := 1; i < 5; i++ {
		switch {
		case strings.Contains(want[i], "${"):
			if have[i] == "" && i == 1 {
				return false
			}
		case have[i] != want[i]:
			return false
		}
	}
	return like(have[5], want[5])
}

// like matches text with a template in which every variable is one character or more, none of them a colon, and none a
// slash but in the last variable, where a name may follow a path.
func like(s, template string) bool {
	before, rest, ok := strings.Cut(template, "${")
	if !ok {
		return s == template
	}
	s, ok = strings.CutPrefix(s, before)
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, "}")
	if rest == "" {
		return s != "" && !strings.Contains(s, ":")
	}
	for i := 1; i <= len(s) && s[i-1] != '/' && s[i-1] != ':'; i++ {
		if like(s[i:], rest) {
			return true
		}
	}
	return false
}

// copySource reads the header of a copy: bucket and key, encoded once, and a version. An access point's ARN, and a plus,
// which S3 reads in its own way, give nothing.
func copySource(s string) Value {
	v := Value{Kind: Struct}
	path, query, versioned := strings.Cut(s, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil || s == "" || strings.Contains(path, "+") || strings.HasPrefix(decoded, "arn:") {
		return v
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(decoded, "/"), "/")
	if !ok || !isBucket(bucket) || key == "" {
		return v
	}
	if _, _, err := bucketPath("/"+bucket, ""); err != nil {
		return v
	}
	v.Fields = []Field{{"Bucket", Value{Kind: Text, Text: bucket}}, {"Key", Value{Kind: Text, Text: key}}}
	if versioned {
		id, ok := strings.CutPrefix(query, "versionId=")
		if !ok || strings.ContainsAny(id, "&?") {
			return Value{Kind: Struct}
		}
		v.Fields = append(v.Fields, Field{"VersionId", Value{Kind: Text, Text: id}})
	}
	return v
}
