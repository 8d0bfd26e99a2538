package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const protobuf = runtime.ContentTypeProtobuf

// clients are all that client-go has for one cluster.
type clients struct {
	config    *rest.Config
	typed     kubernetes.Interface
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	namespace string
	answers   *answers
}

func newClients(s settings) (*clients, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 200
	c := &clients{config: config, namespace: s.namespace, answers: &answers{types: map[string][]string{}}}
	typed := rest.CopyConfig(config)
	typed.ContentType, typed.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	if s.protobuf {
		typed.ContentType, typed.AcceptContentTypes = protobuf, protobuf+","+runtime.ContentTypeJSON
	}
	typed.Wrap(func(next http.RoundTripper) http.RoundTripper { return listener{next, c.answers} })
	var errs [3]error
	c.typed, errs[0] = kubernetes.NewForConfig(typed)
	c.dynamic, errs[1] = dynamic.NewForConfig(config)
	c.metadata, errs[2] = metadata.NewForConfig(config)
	return c, errors.Join(errs[:]...)
}

// answers are the media types in which resources came.
type answers struct {
	mu    sync.Mutex
	types map[string][]string
}

type listener struct {
	next    http.RoundTripper
	answers *answers
}

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	_, rest, found := strings.Cut(r.URL.Path, "/namespaces/")
	if parts := strings.Split(rest, "/"); err == nil && found && len(parts) > 1 {
		l.answers.add(parts[1]+" "+resp.Request.Method, resp.Header.Get("Content-Type"))
	}
	return resp, err
}

func (a *answers) add(what, media string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.types[what], media) {
		a.types[what] = append(a.types[what], media)
		slices.Sort(a.types[what])
	}
}

// media tells in which types the typed client was answered.
func media(_ context.Context, c *clients) (any, error) {
	c.answers.mu.Lock()
	defer c.answers.mu.Unlock()
	return c.answers.types, nil
}

// problem is an error as a program sees it: its reason, its message and its causes.
func problem(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return fmt.Sprintf("no status: %v", err)
	}
	said := status.Status()
	text := fmt.Sprintf("%d %s: %s", said.Code, said.Reason, said.Message)
	if said.Details != nil {
		for _, cause := range said.Details.Causes {
			text += fmt.Sprintf(" [%s %s]", cause.Type, cause.Field)
		}
	}
	return text
}

// fails wants an error with a reason.
func fails(err error, reason metav1.StatusReason) (string, error) {
	if apierrors.ReasonForError(err) != reason {
		return "", fmt.Errorf("wanted %s: got %w", reason, errorOr(err))
	}
	return problem(err), nil
}

func errorOr(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}
