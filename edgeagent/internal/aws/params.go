package aws

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
)

// maxValues bounds the single values of one call. Policy sees all of them.
const maxValues = 50_000

// value is a single value of a request.
type value struct {
	path, text string
	whole      bool // it says what the call does
}

// valuesOf lists the single values of a request, without what AWS calls sensitive, in order. A value in a list has no number, so that
// policy can ask whether there is one. told are texts that say what the call does.
func valuesOf(v awsmodel.Value, told []string) ([]value, error) {
	var out []value
	flatten(v, "", func(path string, v awsmodel.Value) {
		if len(out) > maxValues {
			return
		}
		one := value{path: path, text: v.Text, whole: isDocument(v) || slices.Contains(told, v.Text)}
		switch {
		case v.Sensitive:
			one = value{path: path, text: "***"}
		case v.Kind == awsmodel.Bytes:
			one = value{path: path, text: fmt.Sprintf("(%d bytes)", len(v.Text))}
		}
		out = append(out, one)
	})
	if len(out) > maxValues {
		return nil, &awsmodel.Error{Kind: awsmodel.ErrTooLarge, Part: "body", Why: fmt.Sprintf("over %d values", maxValues), Fix: "send less at a time"}
	}
	slices.SortFunc(out, func(a, b value) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.text, b.text)) })
	return slices.Compact(out), nil
}

// facts are values as policy has them, "Path=value". One that is longer than any that a policy could name is cut.
func facts(values []value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.path + "=" + cut(v.text, maxShownText)
	}
	return out
}

func flatten(v awsmodel.Value, path string, each func(string, awsmodel.Value)) {
	if v.Sensitive {
		each(path, v)
		return
	}
	switch v.Kind {
	case awsmodel.Struct, awsmodel.Map:
		for _, f := range v.Fields {
			next := f.Name
			if path != "" {
				next = path + "." + f.Name
			}
			flatten(f.Value, next, each)
		}
	case awsmodel.Array:
		for _, item := range v.Items {
			flatten(item, path, each)
		}
	case awsmodel.NoValue:
	default:
		each(path, v)
	}
}

// tagsOf are the tags that a request sets, as "key=value": lists of Key and Value, and maps, in members that are named Tags, TagList or TagSet.
func tagsOf(v awsmodel.Value) (tags []string) {
	for _, f := range v.Fields {
		switch strings.ToLower(f.Name) {
		case "tags", "taglist", "tagset", "tagging":
			tags = append(tags, tagsIn(f.Value)...)
		default:
			tags = append(tags, tagsOf(f.Value)...)
		}
	}
	for _, item := range v.Items {
		tags = append(tags, tagsOf(item)...)
	}
	return tags
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
			switch strings.ToLower(f.Name) {
			case "key", "tagkey":
				key = f.Value.Text
			case "value", "tagvalue":
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
