package kubeconfig

import "github.com/goccy/go-yaml"

// generic is a value without the order of its keys.
func generic(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		m := map[string]any{}
		for _, item := range v {
			m[item.Key.(string)] = generic(item.Value)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = generic(e)
		}
		return l
	}
	return v
}
