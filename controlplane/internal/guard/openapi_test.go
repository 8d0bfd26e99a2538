package guard

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The OpenAPI document says of exactly those calls that they need no token that need none.
func TestPublicCallsInTheOpenAPIDocument(t *testing.T) {
	text, err := os.ReadFile("../../../proto/access/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Security []map[string]any
		Paths    map[string]struct {
			Post struct{ Security *[]map[string]any }
		}
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Security) != 1 || len(doc.Paths) != len(table) {
		t.Errorf("%d ways to sign in, %d calls of %d", len(doc.Security), len(doc.Paths), len(table))
	}
	for procedure, rule := range table {
		if !strings.HasPrefix(procedure, "/access.v1.") {
			continue
		}
		security := doc.Paths[procedure].Post.Security
		if open := security != nil && len(*security) == 0; open != rule.Public {
			t.Errorf("%s: public %v, without a token in the document %v", procedure, rule.Public, open)
		}
	}
}
