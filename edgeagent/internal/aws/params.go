package aws

import (
	"cmp"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
)

// Bounds of one call. Policy sees all single values.
const (
	maxValues = 50_000
	maxPaths  = 16 << 20 // bytes of their paths: a long name over many values would cost their product
)

// value is a single value of a request.
type value struct {
	path, text string
	whole      bool // it says what the call does
}

// valuesOf lists the single values of a request, without what AWS calls sensitive, in order. A value in a list has no number, so that
// policy can ask whether there is one. told are texts that say what the call does.
func valuesOf(v awsmodel.Value, told []string) ([]value, error) {
	var out []value
	err := flatten(v, func(path string, v awsmodel.Value) {
		one := value{path: path, text: v.Text, whole: isDocument(v) || slices.Contains(told, v.Text)}
		switch {
		case v.Sensitive:
			one = value{path: path, text: "***"}
		case v.Kind == awsmodel.Bytes:
			one = value{path: path, text: fmt.Sprintf("(%d bytes)", len(v.Text))}
		}
		out = append(out, one)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b value) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.text, b.text)) })
	return slices.Compact(out), nil
}

// facts yields values as policy has them, "Path=value". One that is longer than any that a policy could name is cut.
func facts(values []value) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, v := range values {
			if !yield(v.path + "=" + cut(v.text, maxShownText)) {
				return
			}
		}
	}
}

// flatten passes on the single values of a request with their paths. It fails for a request with more than its bounds allow.
func flatten(v awsmodel.Value, each func(path string, v awsmodel.Value)) error {
	l := &leaves{each: each, values: maxValues, paths: maxPaths}
	l.walk(v, "")
	switch {
	case l.values < 0:
		return &awsmodel.Error{Kind: awsmodel.ErrTooLarge, Part: "body", Why: fmt.Sprintf("over %d values", maxValues), Fix: "send less at a time"}
	case l.paths < 0:
		return &awsmodel.Error{Kind: awsmodel.ErrTooLarge, Part: "body", Why: "long names over many values", Fix: "send less at a time"}
	}
	return nil
}

// leaves goes through the single values of a request, as far as there is room for them.
type leaves struct {
	each          func(string, awsmodel.Value)
	values, paths int
}

func (l *leaves) walk(v awsmodel.Value, path string) {
	switch {
	case l.values < 0 || l.paths < 0 || v.Kind == awsmodel.NoValue && !v.Sensitive:
	case v.Sensitive || v.Kind >= awsmodel.Text:
		if l.values--; l.values >= 0 {
			l.each(path, v)
		}
	case v.Kind == awsmodel.Array:
		for _, item := range v.Items {
			l.walk(item, path)
		}
	default:
		for _, f := range v.Fields {
			if l.paths -= len(path) + len(".") + len(f.Name); l.paths < 0 {
				return
			}
			if path == "" {
				l.walk(f.Value, f.Name)
			} else {
				l.walk(f.Value, path+"."+f.Name)
			}
		}
	}
}

// tagsOf are the tags that a request sets, as "key=value": lists of Key and Value, and maps, in members that are named Tags, TagList or TagSet.
func tagsOf(v awsmodel.Value) (tags []string) {
	for _, f := range v.Fields {
		if isAny(f.Name, "tags", "taglist", "tagset", "tagging") {
			tags = append(tags, tagsIn(f.Value)...)
		} else {
			tags = append(tags, tagsOf(f.Value)...)
		}
	}
	for _, item := range v.Items {
		tags = append(tags, tagsOf(item)...)
	}
	return tags
}

// isAny reports a name that is one of some in lower case, in whatever case it is written.
func isAny(name string, low ...string) bool {
	return slices.ContainsFunc(low, func(l string) bool { return len(l) == len(name) && strings.EqualFold(l, name) })
}

func tagsIn(v awsmodel.Value) (tags []string) {
	if v.Kind == awsmodel.Map {
		for _, f := range v.Fields {
			tags = append(tags, f.Name+"="+f.Value.Text)
		}
		return tags
	}
	for _, item := range v.Items {
		var key, value string
		for _, f := range item.Fields {
			switch {
			case isAny(f.Name, "key", "tagkey"):
				key = f.Value.Text
			case isAny(f.Name, "value", "tagvalue"):
				value = f.Value.Text
			}
		}
		if key != "" {
			tags = append(tags, key+"="+value)
		}
	}
	return append(tags, tagsOf(v)...)
}

// ofOneTry are headers that differ between two tries of one call and mean nothing to it.
var ofOneTry = []string{"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "X-Amz-Date", "User-Agent", "X-Amz-User-Agent", "X-Amzn-Trace-Id", "Date"}

// meant lists the headers of a request that say what it does, in order.
func meant(h http.Header) []string {
	var lines []string
	for name, values := range h {
		if slices.Contains(ofOneTry, name) {
			continue
		}
		for _, v := range values {
			lines = append(lines, name+":"+v)
		}
	}
	slices.Sort(lines)
	return lines
}
