package requestinfo

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metainternalversionscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/writhq/writ/pkg/kubeapi"
)

var factory = request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// TestAgreesWithTheServer makes many requests. What is accepted must mean to the API server what it means here, both as it
// was sent and as it is forwarded.
func TestAgreesWithTheServer(t *testing.T) {
	rounds := 400_000
	if testing.Short() {
		rounds = 60_000
	}
	seed := rand.Uint64()
	m := maker{rand.New(rand.NewPCG(seed, 0))}
	accepted, verbs := 0, map[string]int{}
	for range rounds {
		method, path, query := m.method(), m.path(), m.query()
		if m.chance(25) {
			path = m.mutate(path)
		}
		if m.chance(10) {
			query = m.mutate(query)
		}
		r, err := kubeapi.Parse(method, path, query, upgrade(path))
		if err != nil {
			continue
		}
		accepted++
		verbs[r.Verb]++
		agree(t, r, method, path, query)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d of %d accepted: %v", accepted, rounds, verbs)
	if accepted < rounds/10 || len(verbs) < 9 {
		t.Errorf("seed %d: only %d of %d requests were accepted, with verbs %v", seed, accepted, rounds, verbs)
	}
}

// upgrade gives the requests that need it the headers of an upgrade.
func upgrade(path string) http.Header {
	r, err := kubeapi.Parse("GET", path, "command=x", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}})
	if err != nil && !r.Streams() {
		if _, err = kubeapi.Parse("GET", path, "", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}); err != nil {
			return nil
		}
	}
	return http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
}

func agree(t *testing.T, r kubeapi.Request, method, path, query string) {
	t.Helper()
	uri := path
	if query != "" {
		uri += "?" + query
	}
	for _, u := range []string{uri, r.URI()} {
		parsed, err := url.ParseRequestURI(u)
		if err != nil {
			t.Errorf("%s %q accepted, but no server could read it: %v", method, u, err)
			return
		}
		info, err := factory.NewRequestInfo(&http.Request{Method: method, URL: parsed})
		if err != nil {
			t.Errorf("%s %q accepted, but the server says: %v", method, u, err)
			return
		}
		compare(t, r, info, method, u)
		readable(t, r, parsed, u)
	}
}

func compare(t *testing.T, r kubeapi.Request, info *request.RequestInfo, method, uri string) {
	t.Helper()
	decoded, err := url.PathUnescape(r.Path)
	if err != nil {
		t.Errorf("%s %q: %v", method, uri, err)
	}
	for _, f := range []struct{ what, here, there string }{
		{"verb", r.Verb, info.Verb}, {"group", r.Group, info.APIGroup}, {"version", r.Version, info.APIVersion},
		{"resource", r.Resource, info.Resource}, {"subresource", r.Subresource, info.Subresource},
		{"namespace", r.Namespace, info.Namespace}, {"name", r.Name, info.Name}, {"path", decoded, info.Path},
		{"field selector", r.FieldSelector, info.FieldSelector}, {"label selector", r.LabelSelector, info.LabelSelector},
	} {
		if f.here != f.there {
			t.Errorf("%s %q: %s is %q here and %q there", method, uri, f.what, f.here, f.there)
		}
	}
	if r.IsResource != info.IsResourceRequest || r.IsResource && r.Collection != (len(info.Parts) < 2) {
		t.Errorf("%s %q: resource %v, collection %v, there %v of %q", method, uri, r.IsResource, r.Collection, info.IsResourceRequest, info.Parts)
	}
}

// readable holds the options of a list to what the server's own decoder takes.
func readable(t *testing.T, r kubeapi.Request, u *url.URL, uri string) {
	t.Helper()
	if r.Verb != "list" && r.Verb != "watch" {
		return
	}
	var o metainternalversion.ListOptions
	if err := metainternalversionscheme.ParameterCodec.DecodeParameters(u.Query(), metav1.SchemeGroupVersion, &o); err != nil {
		t.Errorf("%q accepted, but the server cannot read its query: %v", uri, err)
	}
}
