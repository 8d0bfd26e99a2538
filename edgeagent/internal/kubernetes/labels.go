package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/policy"
)

// labelsTimeout bounds the look for an object's labels.
const labelsTimeout = 5 * time.Second

// findLabels asks the API server, as the principal, for the labels of the object that a command is about, where policy cannot
// decide without them. The client is shown nothing of the answer. Where they stay unknown, the command is decided without.
func (x *exchange) findLabels(c *enforce.Command) {
	if !x.r.IsResource || x.r.Name == "" || x.r.AllNamespaces {
		return
	}
	if _, depends := x.client.session.Would(c); depends&policy.DependsLabels == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(x.req.Context(), labelsTimeout)
	defer cancel()
	labels, err := x.labels(ctx)
	if errors.Is(err, errMissing) {
		labels, err = labelList(x.b.Labels), nil // it is made by this request, if at all
	}
	if err != nil {
		x.server.log.Debug("find labels", "session", x.client.session.ID(), "error", err)
		return
	}
	c.Subject = subjectWith(x.client.cluster.res.Policy.Name, x.r, x.b, labels)
}

// labels returns the labels that the object has now, as "key=value".
func (x *exchange) labels(ctx context.Context) ([]string, error) {
	get := x.r
	get.Method, get.Verb, get.Query = http.MethodGet, "get", nil
	get.Path = objectPath(x.r)
	peek := &exchange{server: x.server, client: x.client, w: x.w, req: x.req, r: get}
	resp, err := peek.roundTrip(ctx, http.Header{
		"Accept": {"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}, "User-Agent": {"writ-edge"},
	})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, errMissing
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the API server answered %s", resp.Status)
	}
	var object struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Name   string            `json:"name"`
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxPreview)).Decode(&object); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	if object.Kind != "PartialObjectMetadata" || object.Metadata.Name != x.r.Name {
		return nil, errors.New("the API server answered with something else")
	}
	return labelList(object.Metadata.Labels), nil
}

// objectPath is the path of the object itself, for a request to a part of it.
func objectPath(r kubeapi.Request) string {
	path := "/api/" + r.Version
	if r.Group != "" {
		path = "/apis/" + r.Group + "/" + r.Version
	}
	if r.Namespace != "" && r.Resource != "namespaces" {
		path += "/namespaces/" + r.Namespace
	}
	return path + "/" + r.Resource + "/" + r.Name
}

func labelList(labels map[string]string) []string {
	list := make([]string, 0, len(labels))
	for k, v := range labels {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}
