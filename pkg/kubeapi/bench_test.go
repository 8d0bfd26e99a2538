package kubeapi_test

import (
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/kubeapi"
)

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := kubeapi.Parse("GET", "/api/v1/namespaces/shop/pods", "limit=500&labelSelector=app%3Dweb&resourceVersion=0", nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadBody(b *testing.B) {
	r := parse(b, "POST", podCollection, "")
	body := []byte(`{"kind":"Pod","spec":{"containers":[` + strings.Repeat(`{"name":"a","image":"web:1","env":[{"name":"A","value":"b"}]},`, 1000) + `{}]}}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := kubeapi.ReadBody(r, "application/json", body, 0); err != nil {
			b.Fatal(err)
		}
	}
}
