package kubeapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readQuery decodes the query, holds it to what this request may say, and takes from it what steers the meaning.
func (r *Request) readQuery(raw string) error {
	if len(raw) > MaxQuery {
		return refuse(ErrQuery, "query", fmt.Sprintf("over %d bytes", MaxQuery), "")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return refuse(ErrQuery, "query", "not well-formed", "separate parameters by & and percent-encode their values")
	}
	r.Query = values
	if r.Proxies() {
		return checkText(values)
	}
	known := r.parameters()
	for name, all := range values {
		kind, ok := known[name]
		if !ok {
			return refuse(ErrQuery, "query", "a parameter that "+r.what()+" does not take: "+strconv.Quote(clip(name)), "leave it out")
		}
		if values[name], err = kind.check(name, all); err != nil {
			return err
		}
	}
	r.DryRun = values.Has("dryRun")
	return r.readSelection()
}

// readSelection tells a watch from a list, and finds the one object that a selector may name.
func (r *Request) readSelection() error {
	if r.Verb != "list" && r.Verb != "watch" && r.Verb != "deletecollection" {
		return nil
	}
	r.FieldSelector, r.LabelSelector = r.Query.Get("fieldSelector"), r.Query.Get("labelSelector")
	if r.Verb == "list" && boolean(r.Query, "watch") {
		r.Verb = "watch"
	} else if r.Verb != "list" {
		return nil
	}
	name, ok, err := selectedName(r.FieldSelector)
	if err != nil {
		return err
	}
	if ok {
		r.Name = name
	}
	return nil
}

func (r *Request) what() string {
	if !r.IsResource {
		return "this path"
	}
	if r.Subresource != "" {
		return r.Verb + " of " + r.Resource + "/" + r.Subresource
	}
	return r.Verb + " of " + r.Resource
}

func checkText(values url.Values) error {
	for name, all := range values {
		for _, v := range all {
			if !printable(name) || !utf8.ValidString(v) {
				return refuse(ErrQuery, "query", "not valid UTF-8 text", "")
			}
		}
	}
	return nil
}

// printable reports text without control characters that is valid UTF-8.
func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0
}

// boolean reads a parameter as the API server does: absent, "0" and "false" in any case are false, all else is true.
// Source: Convert_Slice_string_To_bool in k8s.io/apimachinery/pkg/runtime.
func boolean(values url.Values, name string) bool {
	all := values[name]
	return len(all) > 0 && all[0] != "0" && !strings.EqualFold(all[0], "false")
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}
