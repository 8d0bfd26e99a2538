package kubernetes

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// direct sends a request to the API server itself, as the edge would on behalf of ada.
func (b *bed) direct(client *http.Client, method, path, body string, headers ...string) (answered, error) {
	return send(client, method, b.lab.Server+path, body, append(headers, "Impersonate-User: writ:ada", "Impersonate-Group: writ:agents", "Impersonate-Group: writ:principals")...)
}

type answered struct {
	code  int
	media string
	body  []byte
}

func send(client *http.Client, method, url, body string, headers ...string) (answered, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = append(req.Header[name], value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answered{resp.StatusCode, resp.Header.Get("Content-Type"), text}, err
}

// volatile is what differs between two answers to the same write.
var volatile = regexp.MustCompile(`"(uid|creationTimestamp|resourceVersion|time|token|expirationTimestamp|lastTransitionTime|renewTime)":\s?"[^"]*"|generated-[a-z0-9]{5}|"(clusterIP|generation)":\s?"?[^",}]*"?|"clusterIPs":\s?\[[^\]]*\]|(token|kube-api-access)-[a-z0-9]{5}|\b[0-9]+(m[0-9]+)?s\b`)

func (a answered) settled() string {
	body := a.body
	if bytes.Contains(body, []byte("SelfSubjectRulesReview")) {
		body = unordered(body)
	}
	return fmt.Sprintf("%d %s %s", a.code, a.media, volatile.ReplaceAll(body, []byte("~")))
}

// unordered sorts the rules of a review, which the API server lists in the order of a map.
func unordered(body []byte) []byte {
	var review struct {
		Status map[string]any `json:"status"`
	}
	if json.Unmarshal(body, &review) != nil {
		return body
	}
	for _, rules := range review.Status {
		if list, ok := rules.([]any); ok {
			slices.SortFunc(list, func(x, y any) int { return strings.Compare(fmt.Sprint(x), fmt.Sprint(y)) })
		}
	}
	sorted, err := json.Marshal(review)
	if err != nil {
		return body
	}
	return sorted
}

// pathsOf asks the API server for every collection that it has.
func (b *bed) pathsOf(client *http.Client, namespace string) []string {
	b.t.Helper()
	var versions []string
	var groups struct {
		Groups []struct {
			Versions []struct{ GroupVersion string }
		}
	}
	b.into(client, "/apis", &groups)
	versions = append(versions, "/api/v1")
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			versions = append(versions, "/apis/"+v.GroupVersion)
		}
	}
	paths := []string{"/api", "/apis", "/version", "/openapi/v2", "/openapi/v3", "/healthz", "/livez?verbose=", "/readyz"}
	for _, v := range versions {
		paths = append(paths, v)
		var list struct {
			Resources []struct {
				Name       string
				Namespaced bool
				Verbs      []string
			}
		}
		b.into(client, v, &list)
		for _, r := range list.Resources {
			if r.Name == "componentstatuses" || // which are looked up anew for every answer
				strings.Contains(r.Name, "/") || !strings.Contains(strings.Join(r.Verbs, " "), "list") {
				continue
			}
			paths = append(paths, v+"/"+r.Name)
			if r.Namespaced {
				paths = append(paths, v+"/namespaces/"+namespace+"/"+r.Name, v+"/namespaces/"+namespace+"/"+r.Name+"/nothing")
			}
		}
	}
	return paths
}

func (b *bed) into(client *http.Client, path string, v any) {
	b.t.Helper()
	a, err := b.direct(client, "GET", path, "", "Accept: application/json")
	if err == nil {
		err = json.Unmarshal(a.body, v)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", path, err)
	}
}

// TestAnswersAreTheAPIServers: with nothing masked, every read in every form and a set of writes with their errors is byte for
// byte what the API server answers directly.
func TestAnswersAreTheAPIServers(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, permitAll)
	ns := b.lab.Namespace(t, "conform")
	b.lab.Apply(t, strings.Replace(deployment, "metadata: {name: web}", "metadata: {name: web, namespace: "+ns+"}", 1))
	b.lab.Kubectl(t, "-n", ns, "create", "configmap", "c", "--from-literal=a=1")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "s", "--from-literal=a=1")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b.lab.CAPEM)
	cert, key := b.lab.ClientCertificate(t, "writ-edge")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	straight := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, ForceAttemptHTTP2: true, DisableCompression: true}}
	through, token := b.client(), "Authorization: Bearer "+b.Token(t, "grant-1")
	same, unstable := 0, 0
	compare := func(method, path, body string, exact bool, headers ...string) {
		t.Helper()
		for try := 0; ; try++ {
			before, err1 := b.direct(straight, method, path, body, headers...)
			edge, err2 := send(through, method, b.url+path, body, append(headers, token)...)
			after, err3 := b.direct(straight, method, path, body, headers...)
			if err1 != nil || err2 != nil || err3 != nil {
				t.Fatalf("%s %s: %v %v %v", method, path, err1, err2, err3)
			}
			equal := func(x, y answered) bool {
				return x.code == y.code && x.media == y.media && bytes.Equal(x.body, y.body) || !exact && x.settled() == y.settled()
			}
			switch {
			case equal(before, edge) || equal(edge, after):
				same++
				return
			case equal(before, after):
				t.Errorf("%s %s %q: the edge answers %.600s\nthe API server %.600s", method, path, headers, edge.settled(), before.settled())
				return
			case try == 5:
				unstable++
				t.Logf("not stable: %s %s", method, path)
				return
			}
		}
	}
	accepts := []string{
		"application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
		"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
		"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", "text/html",
	}
	for _, path := range b.pathsOf(straight, ns) {
		for _, accept := range accepts {
			if strings.Contains(path, "secrets") && !strings.HasPrefix(accept, "application/json") && accept != "*/*" {
				continue // Secrets are masked for some, so they come as JSON for all
			}
			compare("GET", path, "", true, "Accept: "+accept)
		}
		compare("HEAD", path, "", true, "Accept: application/json")
	}
	for _, query := range []string{"?limit=1", "?limit=2&resourceVersion=0", "?labelSelector=app%3Dweb", "?labelSelector=app%20in%20(web,x),y!=z", "?fieldSelector=metadata.name%3Dweb", "?pretty=true", "?fieldSelector=nonsense%3D1", "?resourceVersion=9999999999999&resourceVersionMatch=Exact", "?timeoutSeconds=1&watch=true&resourceVersion=0"} {
		compare("GET", "/apis/apps/v1/namespaces/"+ns+"/deployments"+query, "", true, "Accept: application/json")
	}
	b.compareWrites(ns, compare)
	t.Logf("%d answers are the same, %d were not stable", same, unstable)
	if same < 1000 || unstable > same/20 {
		t.Errorf("%d compared, %d not stable", same, unstable)
	}
}

func (b *bed) compareWrites(ns string, compare func(method, path, body string, exact bool, headers ...string)) {
	core, apps := "/api/v1/namespaces/"+ns, "/apis/apps/v1/namespaces/"+ns
	const jsonType, yamlType = "Content-Type: application/json", "Content-Type: application/yaml"
	for _, w := range []struct{ method, path, media, body string }{
		{"POST", core + "/configmaps?dryRun=All", jsonType, `{"metadata":{"name":"n"},"data":{"a":"b"}}`},
		{"POST", core + "/configmaps?dryRun=All", yamlType, "metadata: {name: nn}\ndata: {a: b}\n"},
		{"POST", core + "/configmaps?dryRun=All", jsonType, `{"metadata":{"generateName":"generated-"}}`},
		{"POST", core + "/configmaps", jsonType, `{"metadata":{"name":"c"}}`},
		{"POST", core + "/configmaps?dryRun=All&fieldValidation=Strict", jsonType, `{"metadata":{"name":"n"},"nonsense":1}`},
		{"POST", core + "/configmaps?dryRun=All", jsonType, `{"metadata":{"name":"Bad_Name"}}`},
		{"POST", core + "/configmaps?dryRun=All", jsonType, `{"metadata":{"name":"n"},"data":{"a":5}}`},
		{"POST", core + "/configmaps?dryRun=All&fieldManager=me", jsonType, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"n"}}`},
		{"POST", core + "/pods?dryRun=All", jsonType, `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"i"}]}}`},
		{"POST", core + "/pods?dryRun=All", jsonType, `{"metadata":{"name":"p"},"spec":{"containers":[]}}`},
		{"POST", core + "/services?dryRun=All", jsonType, `{"metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}}`},
		{"POST", core + "/serviceaccounts?dryRun=All", jsonType, `{"metadata":{"name":"s"}}`},
		{"POST", apps + "/deployments?dryRun=All", jsonType, `{"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"a","image":"i"}]}}}}`},
		{"PUT", core + "/configmaps/c?dryRun=All", jsonType, `{"metadata":{"name":"c"},"data":{"z":"y"}}`},
		{"PUT", core + "/configmaps/c?dryRun=All", jsonType, `{"metadata":{"name":"c","resourceVersion":"1"}}`},
		{"PUT", core + "/configmaps/none?dryRun=All", jsonType, `{"metadata":{"name":"none"}}`},
		{"PATCH", core + "/configmaps/c?dryRun=All", "Content-Type: application/merge-patch+json", `{"data":{"a":null}}`},
		{"PATCH", core + "/configmaps/c?dryRun=All", "Content-Type: application/strategic-merge-patch+json", `{"data":{"b":"2"}}`},
		{"PATCH", core + "/configmaps/c?dryRun=All", "Content-Type: application/json-patch+json", `[{"op":"add","path":"/data/x","value":"y"}]`},
		{"PATCH", core + "/configmaps/c?dryRun=All", "Content-Type: application/json-patch+json", `[{"op":"test","path":"/data/a","value":"no"}]`},
		{"PATCH", core + "/configmaps/fresh?dryRun=All&fieldManager=me", "Content-Type: application/apply-patch+yaml", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fresh"},"data":{"a":"b"}}`},
		{"PATCH", apps + "/deployments/web/scale?dryRun=All", "Content-Type: application/merge-patch+json", `{"spec":{"replicas":2}}`},
		{"PATCH", apps + "/deployments/web?dryRun=All", "Content-Type: application/strategic-merge-patch+json", `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`},
		{"DELETE", core + "/configmaps/c?dryRun=All", jsonType, `{"propagationPolicy":"Foreground","dryRun":["All"]}`},
		{"DELETE", core + "/configmaps/none", jsonType, ""},
		{"DELETE", core + "/configmaps?dryRun=All&labelSelector=none%3Dnone", jsonType, ""},
		{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", jsonType, `{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}}`},
		{"POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", jsonType, `{"spec":{"namespace":"default"}}`},
		{"POST", core + "/serviceaccounts/default/token", jsonType, `{"spec":{"expirationSeconds":600}}`},
		{"POST", core + "/pods/none/eviction", jsonType, `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"none"}}`},
	} {
		headers := []string{w.media, "Accept: application/json"}
		if strings.Contains(w.path, "propagationPolicy") || w.method == "DELETE" && w.body != "" {
			w.path, _, _ = strings.Cut(w.path, "?")
		}
		compare(w.method, w.path, w.body, false, headers...)
	}
}
