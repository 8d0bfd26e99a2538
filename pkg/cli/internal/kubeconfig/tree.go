package kubeconfig

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"
)

func get(m yaml.MapSlice, key string) any {
	for _, item := range m {
		if item.Key == any(key) {
			return item.Value
		}
	}
	return nil
}

// text is empty for what is not there or not text.
func text(m yaml.MapSlice, key string) string {
	s, _ := get(m, key).(string)
	return s
}

// set replaces a value in its place, or appends it.
func set(m yaml.MapSlice, key string, value any) yaml.MapSlice {
	for i, item := range m {
		if item.Key == any(key) {
			m[i].Value = value
			return m
		}
	}
	return append(m, yaml.MapItem{Key: key, Value: value})
}

// list returns a list of named entries; null is an empty one.
func (f *File) list(key string) ([]any, error) {
	switch v := get(f.top, key).(type) {
	case nil:
		return nil, nil
	case []any:
		for _, entry := range v {
			if _, ok := entry.(yaml.MapSlice); !ok {
				return nil, fmt.Errorf("%w: %s holds something else than entries", ErrFormat, key)
			}
		}
		return v, nil
	}
	return nil, fmt.Errorf("%w: %s is no list", ErrFormat, key)
}

// entry returns what a named entry holds, nil where there is none. The value's key is that of the list without its s.
func (f *File) entry(list, name string) (yaml.MapSlice, error) {
	entries, err := f.list(list)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if m := e.(yaml.MapSlice); text(m, "name") == name {
			body, ok := get(m, list[:len(list)-1]).(yaml.MapSlice)
			if !ok {
				return yaml.MapSlice{}, nil
			}
			return body, nil
		}
	}
	return nil, nil
}

// put replaces an entry in its place, or appends it.
func (f *File) put(list, name, key string, value yaml.MapSlice) error {
	entries, err := f.list(list)
	if err != nil {
		return err
	}
	entry := yaml.MapSlice{{Key: key, Value: value}, {Key: "name", Value: name}}
	at := slices.IndexFunc(entries, func(e any) bool { return text(e.(yaml.MapSlice), "name") == name })
	if at < 0 {
		entries = append(entries, entry)
	} else {
		entries[at] = entry
	}
	f.top = set(f.top, list, entries)
	return nil
}

// drop removes the entries that match.
func (f *File) drop(list string, match func(yaml.MapSlice) bool) error {
	entries, err := f.list(list)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(entries, func(e any) bool { return match(e.(yaml.MapSlice)) })
	if len(kept) < len(entries) {
		f.top = set(f.top, list, kept)
	}
	return nil
}
