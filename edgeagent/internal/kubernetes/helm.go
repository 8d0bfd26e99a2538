package kubernetes

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/kubemask"
)

// Helm keeps each revision of a release in a Secret of this name, and finds them by a label. It passes over a masked one as if
// it were not there. Source: Storage in helm.sh/helm/v3/pkg/storage, Secrets in its driver.
const (
	helmRelease = "sh.helm.release.v1."
	helmLabel   = "owner=helm"
)

// helmWarning is for people who are told by Helm that there is no release.
const helmWarning = "Helm's releases are masked for you, so Helm finds none: policy needs to permit k8s:reveal on Secrets named " + helmRelease + "*"

// hidesReleases reports a request that reads releases of Helm in a namespace, where policy masks them. A list is asked about as
// one of its releases would be called.
func (c *cluster) hidesReleases(ask reveal, r kubeapi.Request) bool {
	if r.Group != "" || r.Resource != "secrets" || r.Namespace == "" || r.Verb != "get" && r.Verb != "list" {
		return false
	}
	name := r.Name
	if selected := strings.Split(r.LabelSelector, ","); name == "" && slices.Contains(selected, helmLabel) {
		name = helmRelease + releaseOf(selected) + ".v1"
	}
	if !strings.HasPrefix(name, helmRelease) {
		return false
	}
	choices := c.masks.choose(ask, c.res.Policy.Name, kubemask.Object{Group: r.Group, Resource: r.Resource, Namespace: r.Namespace, Name: name})
	return slices.ContainsFunc(choices, func(shown kubemask.Choice) bool { return !shown.Reveal })
}

// releaseOf gives the release that a list is of; any one where it is of all.
func releaseOf(selected []string) string {
	for _, s := range selected {
		if name, ok := strings.CutPrefix(s, "name="); ok {
			return name
		}
	}
	return "any"
}
