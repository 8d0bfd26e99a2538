package kubeconfig

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var shop = Login{
	Cluster: "shop-k8s", Server: "https://edge-a.example:6444", CAPEM: []byte("-----BEGIN CERTIFICATE-----\n"), Switch: true,
	Plugin: Plugin{Command: "writ", Args: TokenArgs("shop-k8s"), Env: map[string]string{"WRIT_SERVER": "https://writ.example:8443"}, Hint: "install writ"},
}

// others is a kubeconfig with what other programs put there.
const others = `# mine
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: prod
clusters:
- name: prod   # the one
  cluster:
    server: https://prod.example:6443
    certificate-authority-data: LS0t
    extensions:
    - name: minikube.sigs.k8s.io
      extension: {last-update: "Mon, 01 Jan 2024", version: v1.30.0, n: 3, ratio: 1.5, on: true, none: null}
contexts:
- context: {cluster: prod, user: me@prod, namespace: "on"}
  name: prod
users:
- name: me@prod
  user:
    token: "0123: #\u0007 é"
    exec:
      args: []
      env: null
`

func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	f, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return plainOf(t, f)
}

// plainOf is the file as JSON has it.
func plainOf(t *testing.T, f *File) map[string]any {
	t.Helper()
	raw, err := json.Marshal(generic(f.top))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func write1(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config")
	if text != "" {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

func put(t *testing.T, name string, l Login) {
	t.Helper()
	if err := Edit(t.Context(), name, func(f *File) error { return f.Put(l) }); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPutIntoNothing(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".kube", "config")
	put(t, name, shop)
	const want = `apiVersion: v1
kind: Config
clusters:
  - cluster:
      server: https://edge-a.example:6444
      certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==
    name: writ-shop-k8s
users:
  - user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: writ
        args:
          - kube
          - token
          - shop-k8s
        env:
          - name: WRIT_SERVER
            value: https://writ.example:8443
        interactiveMode: Never
        provideClusterInfo: false
        installHint: "install writ"
    name: writ-shop-k8s
contexts:
  - context:
      cluster: writ-shop-k8s
      user: writ-shop-k8s
    name: writ-shop-k8s
current-context: writ-shop-k8s
`
	if got := content(t, name); got != want {
		t.Fatalf("got:\n%s", got)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	entries, _ := os.ReadDir(filepath.Dir(name))
	if len(entries) != 1 {
		t.Fatalf("left behind: %v", entries)
	}
}

func TestPutKeepsTheRest(t *testing.T) {
	before := tree(t, others)
	name := write1(t, others)
	put(t, name, shop)
	put(t, name, shop) // again: nothing twice
	after := tree(t, content(t, name))
	for list, n := range map[string]int{"clusters": 2, "users": 2, "contexts": 2} {
		entries := after[list].([]any)
		if len(entries) != n || !reflect.DeepEqual(entries[0], before[list].([]any)[0]) {
			t.Errorf("%s: %v", list, entries)
		}
	}
	if !reflect.DeepEqual(after["preferences"], before["preferences"]) || after["current-context"] != "writ-shop-k8s" {
		t.Errorf("got %v", after)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v", err)
	}
	if err := Edit(t.Context(), name, func(f *File) error { _, err := f.Remove("shop-k8s"); return err }); err != nil {
		t.Fatal(err)
	}
	before["current-context"] = ""
	if after := tree(t, content(t, name)); !reflect.DeepEqual(after, before) {
		t.Errorf("after the removal: %v, want %v", after, before)
	}
}

func TestJSONFilesAreRead(t *testing.T) {
	raw, err := json.Marshal(tree(t, others))
	if err != nil {
		t.Fatal(err)
	}
	name := write1(t, string(raw))
	put(t, name, shop)
	if n := len(tree(t, content(t, name))["clusters"].([]any)); n != 2 {
		t.Fatalf("%d clusters", n)
	}
}

func TestPutAgain(t *testing.T) {
	name := write1(t, "")
	first := shop
	first.Context, first.Namespace, first.ServerName = "shop", "orders", "edge-a.example"
	put(t, name, first)
	second := shop
	second.Context, second.Server, second.Switch = "shop", "https://edge-b.example:6444", false
	put(t, name, second)
	got := tree(t, content(t, name))
	cluster := got["clusters"].([]any)[0].(map[string]any)["cluster"].(map[string]any)
	context := got["contexts"].([]any)[0].(map[string]any)["context"].(map[string]any)
	if _, kept := cluster["tls-server-name"]; cluster["server"] != "https://edge-b.example:6444" || kept {
		t.Errorf("got %v", cluster)
	}
	if context["namespace"] != "orders" || len(got["contexts"].([]any)) != 1 || got["current-context"] != "shop" {
		t.Errorf("got %v", got)
	}
	third := shop
	put(t, name, third) // a second context of the same cluster
	err := Edit(t.Context(), name, func(f *File) error {
		clusters, err := f.Clusters()
		if err != nil || !slices.Equal(clusters, []string{"shop-k8s"}) {
			t.Errorf("%v, %v", clusters, err)
		}
		contexts, err := f.Remove("shop-k8s")
		if !slices.Equal(contexts, []string{"shop", "writ-shop-k8s"}) {
			t.Errorf("removed %v", contexts)
		}
		return err
	})
	if err != nil || strings.Contains(content(t, name), "shop") {
		t.Errorf("%v:\n%s", err, content(t, name))
	}
}

func TestPutTakesNothingOver(t *testing.T) {
	name := write1(t, others)
	l := shop
	l.Context = "prod"
	if err := Edit(t.Context(), name, func(f *File) error { return f.Put(l) }); !errors.Is(err, ErrTaken) {
		t.Fatalf("got %v", err)
	}
	if content(t, name) != others {
		t.Fatal("the file was changed")
	}
}

func TestRemoveLeavesOthers(t *testing.T) {
	name := write1(t, others)
	err := Edit(t.Context(), name, func(f *File) error {
		if clusters, err := f.Clusters(); err != nil || len(clusters) != 0 {
			t.Errorf("%v, %v", clusters, err)
		}
		contexts, err := f.Remove("prod")
		if len(contexts) != 0 {
			t.Errorf("removed %v", contexts)
		}
		return err
	})
	if err != nil || content(t, name) != others {
		t.Fatalf("%v: an edit without effect changed the file", err)
	}
}

func TestFilesThatAreLeftAlone(t *testing.T) {
	for what, text := range map[string]string{
		"no YAML":           "clusters: [",
		"no object":         "- a\n",
		"a number":          "42\n",
		"two documents":     "a: b\n---\nc: d\n",
		"anchors":           "clusters: &a []\nusers: *a\n",
		"tags":              "x: !!binary aGk=\n",
		"keys that are not": "1: a\n",
		"repeated keys":     "users: []\nusers: []\n",
		"no list":           "clusters: {a: b}\n",
		"no entries":        "clusters: [a]\n",
		"deep":              strings.Repeat("[", 1000),
		"a secret in vain":  "users: [{name: x, user: {token: hunter2\n",
	} {
		name := write1(t, text)
		err := Edit(t.Context(), name, func(f *File) error { return f.Put(shop) })
		if !errors.Is(err, ErrFormat) || content(t, name) != text || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(name + ".lock"); err == nil {
			t.Errorf("%s: the lock was left", what)
		}
	}
}

func TestLinksStay(t *testing.T) {
	target := write1(t, others)
	link := filepath.Join(t.TempDir(), "config")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	put(t, link, shop)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Fatalf("the link was replaced: %v", err)
	}
	if !strings.Contains(content(t, target), "writ-shop-k8s") {
		t.Fatal("what it leads to is as it was")
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if err := Edit(t.Context(), link, func(f *File) error { return f.Put(shop) }); err == nil {
		t.Fatal("a link to nothing was followed")
	}
}

func TestLockIsRespected(t *testing.T) {
	name := write1(t, others)
	if err := os.WriteFile(name+".lock", nil, 0); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := Edit(t.Context(), name, func(f *File) error { return f.Put(shop) }); !errors.Is(err, ErrLocked) {
			t.Fatalf("got %v", err)
		}
		go func() {
			time.Sleep(lockWait / 2)
			_ = os.Remove(name + ".lock")
		}()
		if err := Edit(t.Context(), name, func(f *File) error { return f.Put(shop) }); err != nil {
			t.Fatalf("the lock is free again: %v", err)
		}
	})
	if _, err := os.Stat(name + ".lock"); err == nil {
		t.Fatal("the lock was left")
	}
}

func TestEditsDoNotOverwriteEachOther(t *testing.T) {
	name := write1(t, others)
	var wg sync.WaitGroup
	for _, cluster := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			l := shop
			l.Cluster, l.Plugin.Args = cluster, TokenArgs(cluster)
			if err := Edit(context.WithoutCancel(t.Context()), name, func(f *File) error { return f.Put(l) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(tree(t, content(t, name))["clusters"].([]any)); n != 5 {
		t.Fatalf("%d clusters, want 5", n)
	}
}

// TestKubectlReadsIt has the real kubectl read what was written.
func TestKubectlReadsIt(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is missing")
	}
	name := write1(t, others)
	put(t, name, shop)
	out, err := exec.Command(kubectl, "config", "view", "--raw", "-o", "json", "--kubeconfig", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Current  string `json:"current-context"`
		Clusters []struct {
			Name    string
			Cluster struct {
				Server string
				CA     string `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			Name string
			User struct {
				Token string
				Exec  struct {
					Command, InteractiveMode string
					Args                     []string
					Env                      []struct{ Name, Value string }
				}
			}
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Current != "writ-shop-k8s" || len(got.Clusters) != 2 || got.Clusters[1].Cluster.Server != shop.Server ||
		got.Clusters[1].Cluster.CA != base64.StdEncoding.EncodeToString(shop.CAPEM) {
		t.Errorf("got %+v", got)
	}
	e := got.Users[1].User.Exec
	if e.Command != "writ" || !slices.Equal(e.Args, []string{"kube", "token", "shop-k8s"}) || e.InteractiveMode != "Never" || e.Env[0].Value != "https://writ.example:8443" {
		t.Errorf("got %+v", e)
	}
	if got.Users[0].User.Token != "0123: #\a é" {
		t.Errorf("somebody's token became %q", got.Users[0].User.Token)
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(others, "shop-k8s")
	f.Add("clusters: [{name: writ-a}]\nusers: ~\n", "a")
	f.Add(`{"contexts":[{"name":"writ-x","context":{"user":"writ-x"}}],"current-context":"writ-x"}`, "x")
	f.Add("a: \"\\u2028\\u0085 <>&\"\nb: .nan\nc: 0o17\nd: -0\n'': x\n", "no")
	f.Fuzz(func(t *testing.T, text, cluster string) {
		file, err := parse([]byte(text))
		if err != nil {
			return
		}
		before := generic(file.top)
		if clusters, err := file.Clusters(); err != nil || slices.Contains(clusters, cluster) {
			return
		}
		l := shop
		l.Cluster, l.Plugin.Args = cluster, TokenArgs(cluster)
		if file.Put(l) != nil {
			return
		}
		written, err := file.format()
		if err != nil {
			return // left alone
		}
		again, err := parse(written)
		if err != nil {
			t.Fatalf("%v:\n%s", err, written)
		}
		for key, was := range before.(map[string]any) {
			switch key {
			case "clusters", "users", "contexts", "current-context":
				continue
			}
			if now := generic(again.top).(map[string]any)[key]; !reflect.DeepEqual(now, was) {
				t.Fatalf("%q was %v and is %v", key, was, now)
			}
		}
	})
}
