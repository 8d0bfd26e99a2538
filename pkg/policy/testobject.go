package policy

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// testObject is something in a cluster.
type testObject struct {
	Object string    `yaml:"object"`
	Labels *[]string `yaml:"labels"` // of the object; nil is unknown
	Field  string    `yaml:"field"`
	Path   string    `yaml:"path"`
}

// testRequest is what a test may say of a request to a Kubernetes API server.
type testRequest struct {
	Verb            string   `yaml:"verb"`
	DryRun          bool     `yaml:"dry_run"`
	BodyKnown       *bool    `yaml:"body_known"`
	Images          []string `yaml:"images"`
	Privileged      bool     `yaml:"privileged"`
	HostNamespaces  bool     `yaml:"host_namespaces"`
	HostPaths       []string `yaml:"host_paths"`
	ServiceAccounts []string `yaml:"service_accounts"`
	Secrets         []string `yaml:"secrets"`
	ConfigMaps      []string `yaml:"config_maps"`
	Roles           []string `yaml:"roles"`
	Subjects        []string `yaml:"subjects"`
	Replicas        *int64   `yaml:"replicas"`
	Command         string   `yaml:"command"`
	Container       string   `yaml:"container"`
	Stdin           bool     `yaml:"stdin"`
	TTY             bool     `yaml:"tty"`
	Ports           []int64  `yaml:"ports"`
}

// facts are those of the request about o. Where a test does not say otherwise the body is known; ports are known when they
// are given.
func (r testRequest) facts(a Action, o ObjectInfo) APIRequest {
	verb := r.Verb
	if verb == "" {
		verb = verbOf(a)
	}
	return APIRequest{
		Verb: verb, Subresource: o.Subresource, Collection: o.Resource != "" && !o.NameKnown, DryRun: r.DryRun || a == K8sDryRun,
		BodyKnown: r.BodyKnown == nil || *r.BodyKnown,
		Images:    r.Images, Privileged: r.Privileged, HostNamespaces: r.HostNamespaces, HostPaths: r.HostPaths,
		ServiceAccounts: r.ServiceAccounts, Secrets: r.Secrets, ConfigMaps: r.ConfigMaps, Roles: r.Roles, Subjects: r.Subjects,
		Replicas: r.Replicas, Command: r.Command, Container: r.Container, Stdin: r.Stdin, TTY: r.TTY,
		Ports: r.Ports, PortsKnown: len(r.Ports) > 0,
	}
}

// verbOf is the verb that usually comes with an action.
func verbOf(a Action) string {
	switch {
	case a == K8sLogs || a == K8sDiscover || a == K8sNonResource || a == K8sReveal:
		return "get"
	case a.In(K8sConnect) || a.In(K8sAdmin) || a == K8sDryRun:
		return "create"
	}
	return strings.TrimPrefix(string(a), "k8s:")
}

var versionPattern = regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]+)?$`)

// parseObject reads "deployments.apps/scale shop/web": what it is, as kubectl names it, and where it is. An asterisk is what is
// not known; what has no namespace stands alone.
func parseObject(text string) (ObjectInfo, error) {
	what, where, ok := strings.Cut(text, " ")
	if !ok || what == "" || where == "" || strings.Contains(where, " ") || strings.Count(where, "/") > 1 {
		return ObjectInfo{}, fmt.Errorf(`object %q is not of the form "pods shop/web", "pods shop/*" (all of a namespace), `+
			`"pods */*" (all of all) or "nodes web-1"`, text)
	}
	o := ObjectInfo{Version: "v1"}
	what, o.Subresource, _ = strings.Cut(what, "/")
	o.Resource, o.Group, _ = strings.Cut(what, ".")
	if version, group, _ := strings.Cut(o.Group, "."); versionPattern.MatchString(version) {
		o.Version, o.Group = version, group
	}
	name := where
	if namespace, inside, ok := strings.Cut(where, "/"); ok {
		o.Namespace, name = namespace, inside
	}
	if o.AllNamespaces = o.Namespace == wildcard; o.AllNamespaces {
		o.Namespace = ""
	}
	if o.NameKnown = name != wildcard; o.NameKnown {
		o.Name = name
	}
	return o, nil
}

// objectInfo is the object of a test, with its labels where the test gives them.
func (c *testCase) objectInfo() (ObjectInfo, error) {
	if c.Cluster.Object == "" {
		return ObjectInfo{}, nil
	}
	o, err := parseObject(c.Cluster.Object)
	if err != nil || c.Cluster.Labels == nil {
		return o, err
	}
	for _, l := range *c.Cluster.Labels {
		if !strings.Contains(l, "=") {
			return o, fmt.Errorf("labels: %q is not of the form key=value", l)
		}
	}
	o.Labels, o.LabelsKnown = *c.Cluster.Labels, true
	return o, nil
}

// kubernetes builds what a k8s: action is asked about.
func (c *testCase) kubernetes(a Action) (Entity, error) {
	for _, key := range []struct {
		name, text, example string
		goes                bool
	}{
		{"object", c.Cluster.Object, "pods shop/web", a != K8sNonResource && a != K8sDiscover},
		{"field", c.Cluster.Field, "data.*", a == K8sReveal},
		{"path", c.Cluster.Path, "/metrics", a == K8sNonResource},
	} {
		switch {
		case key.goes && key.text == "":
			return Entity{}, fmt.Errorf("%s needs %s, for example %q", a, key.name, key.example)
		case !key.goes && key.text != "":
			return Entity{}, fmt.Errorf("%s does not go with %s", key.name, a)
		}
	}
	o, err := c.objectInfo()
	if err != nil {
		return Entity{}, err
	}
	name := ResourceName(c.Resource)
	switch a {
	case K8sReveal:
		return name.Field(o, c.Cluster.Field, c.Classes...), nil
	case K8sNonResource:
		if !strings.HasPrefix(c.Cluster.Path, "/") {
			return Entity{}, fmt.Errorf("path %q does not begin with a slash", c.Cluster.Path)
		}
		return name.NonResource(c.Cluster.Path), nil
	case K8sDiscover:
		return name.Itself(), nil
	}
	return name.Object(o), nil
}

// facts are those of the test's question.
func (c *testCase) facts(a Action) (*Facts, error) {
	if key := c.With.foreign(a.family()); key != "" {
		return nil, fmt.Errorf("with.%s does not go with %s", key, a)
	}
	switch a.family() {
	case familyAPI:
	case familyCall:
		return c.With.Call.facts(c.With.Request.DryRun, c.With.Statement.Tables, c.With.Statement.Functions).Facts(), nil
	default:
		return c.With.facts(a.family())
	}
	o, err := c.objectInfo()
	return c.With.Request.facts(a, o).Facts(), err
}

// foreign names a key of with that is no fact of what is asked: "" when there is none. Older bundles may give facts of
// statements with any action but k8s: and aws:.
func (c testContext) foreign(fam family) string {
	switch fam {
	case familyAPI:
		return firstSet(c.Statement) + firstSet(c.Call)
	case familyCall:
		c.Request.DryRun = false
		c.Statement.Tables, c.Statement.Functions = nil, nil
		return firstSet(c.Statement) + firstSet(c.Request)
	}
	return firstSet(c.Request) + firstSet(c.Call)
}

// firstSet is the key of the first field of a struct that is not zero.
func firstSet(s any) string {
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			return v.Type().Field(i).Tag.Get("yaml")
		}
	}
	return ""
}
