package console

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/writhq/writ/test/kubetest"
)

// A terminal in a cluster and a change of it that waits, as people see them in the console.
func TestCluster(t *testing.T) {
	o, lab := newOffice(t), kubetest.Start(t, kubetest.Config{})
	if err := o.Apply(t.Context(), lab.Join(t)); err != nil {
		t.Fatal(err)
	}
	namespace := lab.Namespace(t, "shop")
	lab.Apply(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: "+namespace+"}\nspec: {containers: [{name: main, image: any, command: [sleep, \"3600\"]}]}\n")
	lab.Kubectl(t, "-n", namespace, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
	ada := o.Token("ada@example.com", "agent", "agents")
	config := filepath.Join(t.TempDir(), "config")
	for _, args := range [][]string{
		{"request", "lab", "--for", "30m", "--reason", "ticket 4711", "--no-wait"}, {"kube", "login", "lab", "--kubeconfig", config},
	} {
		if out, err := o.Writ(t.Context(), ada, args...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	kubectl := func(args ...string) *exec.Cmd {
		k, err := lab.FindKubectl("")
		if err != nil {
			t.Fatal(err)
		}
		cmd := k.Command(t.Context(), config, append([]string{"-n", namespace}, args...)...)
		cmd.Env = append(append(cmd.Env, o.Command(t.Context(), ada).Env...), "PATH="+o.Bin+":"+os.Getenv("PATH"))
		return cmd
	}
	term := kubetest.StartTerminal(t, kubectl("exec", "-it", "web", "--", "sh"), 24, 80)
	term.Type(t, "echo mail ann@example.com; printf '\\033[31mred\\033[0m\\n'\r")
	term.Await(t, "red")
	term.Type(t, "exit\r")
	if err := term.Wait(t); err != nil {
		t.Fatalf("%v: %s", err, term.Shown())
	}

	b := o.dana(t, 1280, 900)
	out, err := o.Writ(t.Context(), o.Administrator(), "sessions", "list", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	b.visit(o.home+"/sessions/"+regexp.MustCompile(`ses-[0-9a-z]+`).FindString(out), "exec "+namespace+"/web -c main -- sh")
	b.until("document.querySelector('.terminal .t-cursor') && document.querySelector('.terminal').textContent.includes('red')", "the terminal")
	b.until("document.querySelector('.terminal').scrollIntoView({block: 'center'}) || true", "the terminal to be seen")
	b.look("terminal")
	if text := b.text(); !strings.Contains(text, "exit 0") || strings.Contains(strings.ReplaceAll(text, "echo mail ann@example.com", ""), "ann@example.com") {
		t.Errorf("the console shows an address: %s", text)
	}
	if c := b.complaints(); len(c) > 0 {
		t.Errorf("the browser complains: %q", c)
	}
}
