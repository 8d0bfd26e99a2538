package kubeapi

import (
	"slices"
	"testing"
)

func TestSelectedFields(t *testing.T) {
	for selector, want := range map[string][]string{
		"": nil, "metadata.name=x": nil, "spec.token=a": {"/spec/token"}, "status.phase!=Running,spec.a/b==c": {"/status/phase", "/spec/a~1b"},
		`spec.a=b\,c`: {"/spec/a"}, "type=Opaque,metadata.namespace=n": {"/type"}, "nonsense": {""},
	} {
		if got := (Request{FieldSelector: selector}).SelectedFields(); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", selector, got, want)
		}
	}
}
