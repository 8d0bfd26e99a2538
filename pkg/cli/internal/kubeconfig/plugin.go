package kubeconfig

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// execVersion is the API that plugin and client speak (the Kubernetes reference, "Client Authentication (v1)").
const execVersion = "client.authentication.k8s.io/v1"

// tokenArgs begin the arguments of the plugin; by them a login is known.
var tokenArgs = []string{"kube", "token"}

// TokenArgs are the arguments with which the plugin gives out a token for a cluster.
func TokenArgs(cluster string) []string { return append(slices.Clone(tokenArgs), cluster) }

func (p Plugin) exec() yaml.MapSlice {
	e := yaml.MapSlice{{Key: "apiVersion", Value: execVersion}, {Key: "command", Value: p.Command}}
	args := make([]any, len(p.Args))
	for i, a := range p.Args {
		args[i] = a
	}
	e = set(e, "args", args)
	if len(p.Env) > 0 {
		var env []any
		for _, name := range slices.Sorted(maps.Keys(p.Env)) {
			env = append(env, yaml.MapSlice{{Key: "name", Value: name}, {Key: "value", Value: p.Env[name]}})
		}
		e = set(e, "env", env)
	}
	// Standard input stays the client's own: kubectl apply -f - reads it.
	e = set(set(e, "interactiveMode", "Never"), "provideClusterInfo", false)
	if p.Hint != "" {
		e = set(e, "installHint", p.Hint)
	}
	return e
}

// ours says for which cluster a user entry is, if it is one of Put's.
func ours(user yaml.MapSlice) (string, bool) {
	cluster, named := strings.CutPrefix(text(user, "name"), prefix)
	body, _ := get(user, "user").(yaml.MapSlice)
	exec, _ := get(body, "exec").(yaml.MapSlice)
	args, _ := get(exec, "args").([]any)
	if !named || len(args) < len(tokenArgs) {
		return "", false
	}
	for i, want := range tokenArgs {
		if args[i] != any(want) {
			return "", false
		}
	}
	return cluster, true
}
