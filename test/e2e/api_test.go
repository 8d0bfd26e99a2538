package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/goccy/go-yaml"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
	"github.com/writhq/writ/test/world"
)

// TestAPI calls a real control plane without a line of Writ's own client.
func TestAPI(t *testing.T) {
	w := world.Start(t, world.Config{})
	prod := strings.NewReplacer("name: "+world.Resource, "name: prod-db", "env: demo", "env: prod").Replace(world.Manifest)
	if err := w.Apply(t.Context(), prod); err != nil {
		t.Fatal(err)
	}
	token := w.Token("ada@example.com", "agent", "agents")
	t.Run("examples", func(t *testing.T) { examples(t, w, token) })
	t.Run("openapi", func(t *testing.T) { byDocument(t, w, token) })
	t.Run("grpc", func(t *testing.T) { overGRPC(t, w, token) })
	t.Run("no reflection", func(t *testing.T) { noReflection(t, w, token) })
}

func httpClient(t *testing.T, w *world.World) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(w.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
}

// examples runs each block "sh run" of docs/api.md. The JSON block after it shows a part of the answer: the same names with
// values of the same types.
func examples(t *testing.T, w *world.World, token string) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```sh run\n(.*?)```\n\n```json\n(.*?)```").FindAllSubmatch(page, -1)
	if len(found) < 6 || len(found) != bytes.Count(page, []byte("```sh run\n")) {
		t.Fatalf("%d examples", len(found))
	}
	for _, m := range found {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", string(m[1]))
		cmd.Env = append(os.Environ(), "WRIT_SERVER=https://"+w.Access, "WRIT_CA_FILE="+w.CAFile, "WRIT_TOKEN="+token)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		var got, want any
		if jerr := json.Unmarshal(out, &got); err != nil || jerr != nil {
			t.Errorf("%s\n%v, %v: %s%s", m[1], err, jerr, out, stderr.Bytes())
			continue
		}
		if err := json.Unmarshal(m[2], &want); err != nil {
			t.Errorf("%v in %s", err, m[2])
		}
		if err := partOf(want, got); err != nil {
			t.Errorf("%s\n%v in %s", m[1], err, out)
		}
	}
}

// partOf reports what of want is not in got. Constants, which are in capitals, and codes are compared.
func partOf(want, got any) error {
	if reflect.TypeOf(want) != reflect.TypeOf(got) {
		return fmt.Errorf("want %v, got %v", want, got)
	}
	switch want := want.(type) {
	case map[string]any:
		for name, v := range want {
			if err := partOf(v, got.(map[string]any)[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if name == "code" && v != got.(map[string]any)[name] {
				return fmt.Errorf("code: want %v, got %v", v, got)
			}
		}
	case []any:
		if len(want) > len(got.([]any)) {
			return fmt.Errorf("want %d of them, got %v", len(want), got)
		}
		for i, v := range want {
			if err := partOf(v, got.([]any)[i]); err != nil {
				return err
			}
		}
	case string:
		if regexp.MustCompile(`^[A-Z_]{8,}$`).MatchString(want) && want != got {
			return fmt.Errorf("want %v, got %v", want, got)
		}
	}
	return nil
}

// byDocument makes a request from what the OpenAPI document says alone, and holds the answers against it.
func byDocument(t *testing.T, w *world.World, token string) {
	text, err := os.ReadFile("../../proto/access/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	d := document{doc}
	client := httpClient(t, w)
	values := map[string]any{"resource": world.Resource, "reason": "by the document", "task": "OPS-7"}
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/access.v1.RequestService/CreateRequest", token, 200},
		{"/access.v1.RequestService/ListRequests", token, 200},
		{"/access.v1.GrantService/ListGrants", token, 200},
		{"/access.v1.ResourceService/ListResources", token, 200},
		{"/access.v1.EdgeService/ListEdges", token, 200},
		{"/access.v1.IdentityService/ListSignInMethods", "", 200},
		{"/access.v1.PolicyService/ListRevisions", w.Administrator(), 200},
		{"/access.v1.AuditService/ListAdminRecords", w.Administrator(), 200},
		{"/access.v1.NotificationService/ListDeliveries", w.Administrator(), 200},
		{"/access.v1.PolicyService/ListRevisions", token, 403},
		{"/access.v1.GrantService/ListGrants", "", 401},
	} {
		post := at(doc, "paths", c.path, "post")
		body, err := json.Marshal(d.sample(at(post, "requestBody", "content", "application/json", "schema"), values))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+w.Access+c.path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var got any
		if err := json.Unmarshal(answer, &got); err != nil || resp.StatusCode != c.want {
			t.Errorf("%s with %s: %s %s", c.path, body, resp.Status, answer)
			continue
		}
		schema := at(post, "responses", "200", "content", "application/json", "schema")
		if c.want != 200 {
			schema = at(d.follow(at(post, "responses", "default")), "content", "application/json", "schema")
		}
		if err := d.fits(schema, got); err != nil {
			t.Errorf("%s: %v in %s", c.path, err, answer)
		}
	}
}

// document is an OpenAPI document.
type document struct{ root map[string]any }

func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (d document) follow(schema any) any {
	if target, ok := at(schema, "$ref").(string); ok {
		return at(d.root, strings.Split(strings.TrimPrefix(target, "#/"), "/")...)
	}
	return schema
}

// sample makes a value: objects of the values that are known by name, and examples where there is one.
func (d document) sample(schema any, values map[string]any) any {
	object := map[string]any{}
	properties, _ := at(d.follow(schema), "properties").(map[string]any)
	for name, p := range properties {
		full := d.follow(p)
		if v, ok := values[name]; ok && at(full, "type") == "string" {
			object[name] = v
		} else if examples, ok := at(full, "examples").([]any); ok {
			object[name] = examples[0]
		} else if at(full, "type") == "object" && at(full, "properties") != nil {
			if inner, _ := d.sample(full, values).(map[string]any); len(inner) > 0 {
				object[name] = inner
			}
		}
	}
	return object
}

// fits reports where a value is not of its schema. Properties that are not in the schema are an error here.
func (d document) fits(schema, v any) error {
	schema = d.follow(schema)
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			p := at(schema, "properties", name)
			if p == nil {
				p = at(schema, "additionalProperties")
			}
			if p == nil && at(schema, "properties") == nil && at(schema, "type") == "object" {
				continue // any object
			}
			if p == nil {
				return fmt.Errorf("%s is not described", name)
			}
			if err := d.fits(p, inner); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return ofType(schema, "object")
	case []any:
		for _, inner := range v {
			if err := d.fits(at(schema, "items"), inner); err != nil {
				return err
			}
		}
		return ofType(schema, "array")
	case string:
		return d.fitsText(schema, v)
	case bool:
		return ofType(schema, "boolean")
	case float64:
		return ofType(schema, "integer", "number")
	}
	return fmt.Errorf("unexpected %v", v)
}

func ofType(schema any, names ...string) error {
	for _, name := range names {
		if at(schema, "type") == name {
			return nil
		}
	}
	return fmt.Errorf("is of another type than %v", at(schema, "type"))
}

func (d document) fitsText(schema any, v string) error {
	if all, ok := at(schema, "enum").([]any); ok {
		for _, one := range all {
			if one == v {
				return nil
			}
		}
		return fmt.Errorf("%q is not one of %v", v, all)
	}
	if pattern, ok := at(schema, "pattern").(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
		return fmt.Errorf("%q is not of the form %s", v, pattern)
	}
	if _, err := time.Parse(time.RFC3339, v); at(schema, "format") == "date-time" && err != nil {
		return err
	}
	return ofType(schema, "string")
}

func overGRPC(t *testing.T, w *world.World, token string) {
	ctx, call := connect.NewClientContext(t.Context())
	call.RequestHeader().Set("Authorization", "Bearer "+token)
	client := accessv1connect.NewIdentityServiceClient(httpClient(t, w), "https://"+w.Access, connect.WithGRPC())
	resp, err := client.WhoAmI(ctx, &accessv1.WhoAmIRequest{})
	if err != nil || resp.GetPrincipal().GetName() != "ada@example.com" {
		t.Errorf("%v, %v", resp, err)
	}
}

// Nobody is told what calls there are, whatever token they have.
func noReflection(t *testing.T, w *world.World, token string) {
	for _, version := range []string{"v1", "v1alpha"} {
		for _, media := range []string{"application/grpc", "application/grpc-web+proto", "application/connect+json", "application/json"} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			url := "https://" + w.Access + "/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo"
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("\x00\x00\x00\x00\x02:\x00"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", media)
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := httpClient(t, w).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed || bytes.Contains(body, []byte("access.v1")) {
				t.Errorf("%s %s: %s %q", version, media, resp.Status, body)
			}
		}
	}
}
