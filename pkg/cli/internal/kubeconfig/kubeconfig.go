// Package kubeconfig puts clusters that are reached through edges into the files that kubectl reads, and takes them out
// again. Whatever else such a file says stays; its comments do not.
package kubeconfig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"
)

// Errors of a file that is left as it is.
var (
	// ErrFormat is a file that is no kubeconfig, or says more than this package can keep.
	ErrFormat = errors.New("not a kubeconfig that can be edited")
	// ErrTaken is a context of that name which is somebody else's.
	ErrTaken = errors.New("the context is there and leads elsewhere")
)

// prefix begins the names of clusters and users, and of contexts unless another is asked for.
const prefix = "writ-"

// Name is what a cluster, its user and its context are called by default.
func Name(cluster string) string { return prefix + cluster }

// Login is one cluster and how to sign in there.
type Login struct {
	Cluster    string // the resource's name
	Context    string // its context's name; empty is Name(Cluster)
	Server     string // "https://host:port"
	CAPEM      []byte // certificates that sign the server's
	ServerName string // in the server's certificate; empty is the host of Server
	Namespace  string // empty keeps what the context says
	Switch     bool   // make the context the current one
	Plugin     Plugin
}

// Plugin is the program that gives kubectl a token.
type Plugin struct {
	Command string
	Args    []string
	Env     map[string]string
	Hint    string // for who does not have it
}

// File is a kubeconfig while it is edited.
type File struct{ top yaml.MapSlice }

// Put adds the login, or replaces the former one of that cluster. It fails with ErrTaken rather than change a context
// of something else.
func (f *File) Put(l Login) error {
	name, context := Name(l.Cluster), l.Context
	if context == "" {
		context = name
	}
	former, err := f.entry("contexts", context)
	if err != nil {
		return err
	}
	if former != nil && text(former, "user") != name {
		return fmt.Errorf("%w: %q", ErrTaken, context)
	}
	for _, put := range []struct {
		list, name, key string
		value           yaml.MapSlice
	}{
		{"clusters", name, "cluster", l.cluster()},
		{"users", name, "user", yaml.MapSlice{{Key: "exec", Value: l.Plugin.exec()}}},
		{"contexts", context, "context", l.context(former)},
	} {
		if err := f.put(put.list, put.name, put.key, put.value); err != nil {
			return err
		}
	}
	if l.Switch {
		f.top = set(f.top, "current-context", context)
	}
	return nil
}

func (l Login) cluster() yaml.MapSlice {
	c := yaml.MapSlice{
		{Key: "server", Value: l.Server},
		{Key: "certificate-authority-data", Value: base64.StdEncoding.EncodeToString(l.CAPEM)},
	}
	if l.ServerName != "" {
		c = set(c, "tls-server-name", l.ServerName)
	}
	return c
}

func (l Login) context(former yaml.MapSlice) yaml.MapSlice {
	c := set(set(slices.Clone(former), "cluster", Name(l.Cluster)), "user", Name(l.Cluster))
	if l.Namespace != "" {
		c = set(c, "namespace", l.Namespace)
	}
	return c
}

// Remove takes out a cluster with its user and its contexts, whose names it returns.
func (f *File) Remove(cluster string) ([]string, error) {
	name := Name(cluster)
	var contexts []string
	err := f.drop("contexts", func(entry yaml.MapSlice) bool {
		body, _ := get(entry, "context").(yaml.MapSlice)
		if text(body, "user") != name {
			return false
		}
		contexts = append(contexts, text(entry, "name"))
		return true
	})
	for _, list := range []string{"clusters", "users"} {
		if err == nil {
			err = f.drop(list, func(entry yaml.MapSlice) bool { return text(entry, "name") == name })
		}
	}
	if err == nil && slices.Contains(contexts, text(f.top, "current-context")) {
		f.top = set(f.top, "current-context", "")
	}
	return contexts, err
}

// Clusters are the clusters for which there are logins.
func (f *File) Clusters() ([]string, error) {
	var found []string
	err := f.drop("users", func(entry yaml.MapSlice) bool {
		if name, ok := ours(entry); ok {
			found = append(found, name)
		}
		return false
	})
	return found, err
}
