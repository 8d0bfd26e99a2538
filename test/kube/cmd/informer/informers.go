package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	secrets    = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
)

// told is what informers said, each in its order.
type told struct {
	mu    sync.Mutex
	lines map[string][]string
}

func (t *told) has(informer, start string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.lines[informer], func(line string) bool { return strings.HasPrefix(line, start) })
}

func (t *told) all() map[string][]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.lines)
}

// listen writes down what an informer says of objects that describe has words for.
func (t *told) listen(name string, i cache.SharedIndexInformer) error {
	_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { t.note(name, "add", describe(o)) },
		UpdateFunc: func(was, is any) {
			// What changed in a Secret may not be shown.
			if describe(was) != describe(is) || strings.HasSuffix(name, "secrets") {
				t.note(name, "update", describe(is))
			}
		},
		DeleteFunc: func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			t.note(name, "delete", describe(o))
		},
	})
	return err
}

func (t *told) note(informer, what, object string) {
	if object == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines[informer] = append(t.lines[informer], what+" "+object)
}

// describe gives what does not differ from one run to the next; "" of what the cluster itself makes.
func describe(o any) string {
	switch o := o.(type) {
	case *corev1.ConfigMap:
		return named(o.Name, o.Data)
	case *corev1.Secret:
		data := map[string]string{}
		for k, v := range o.Data {
			data[k] = string(v)
		}
		return named(o.Name, data)
	case *corev1.Pod:
		if o.Status.Phase != corev1.PodPending && o.Status.Phase != corev1.PodRunning {
			return ""
		}
		return o.GenerateName + " " + string(o.Status.Phase)
	case *appsv1.Deployment:
		return fmt.Sprintf("%s %d %s", o.Name, *o.Spec.Replicas, o.Spec.Template.Spec.Containers[0].Image)
	case *unstructured.Unstructured:
		data, _, _ := unstructured.NestedStringMap(o.Object, "data")
		return named(o.GetName(), data)
	case *metav1.PartialObjectMetadata:
		return named(o.Name, o.Labels)
	}
	return fmt.Sprintf("%T", o)
}

func named(name string, data any) string {
	if name == "kube-root-ca.crt" {
		return ""
	}
	text, _ := json.Marshal(data)
	return name + " " + string(text)
}

// watchAll runs informers of all sorts while objects come and go.
func watchAll(ctx context.Context, c *clients) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := c.before(ctx); err != nil {
		return nil, err
	}
	typed := informers.NewSharedInformerFactoryWithOptions(c.typed, 0, informers.WithNamespace(c.namespace))
	dynamic := dynamicinformer.NewFilteredDynamicSharedInformerFactory(c.dynamic, 0, c.namespace, nil)
	meta := metadatainformer.NewFilteredSharedInformerFactory(c.metadata, 0, c.namespace, nil)
	core := typed.Core().V1()
	t := &told{lines: map[string][]string{}}
	for name, i := range map[string]cache.SharedIndexInformer{
		"pods": core.Pods().Informer(), "configmaps": core.ConfigMaps().Informer(), "secrets": core.Secrets().Informer(),
		"deployments": typed.Apps().V1().Deployments().Informer(), "dynamic configmaps": dynamic.ForResource(configMaps).Informer(),
		"dynamic secrets": dynamic.ForResource(secrets).Informer(), "metadata secrets": meta.ForResource(secrets).Informer(),
	} {
		if err := t.listen(name, i); err != nil {
			return nil, err
		}
	}
	typed.Start(ctx.Done())
	dynamic.Start(ctx.Done())
	meta.Start(ctx.Done())
	if err := await(ctx, "what was there before", func() (bool, error) {
		return t.has("configmaps", "add before") && t.has("secrets", "add before") && t.has("dynamic configmaps", "add before") &&
			t.has("dynamic secrets", "add before") && t.has("metadata secrets", "add before"), nil
	}); err != nil {
		return nil, err
	}
	if err := c.change(ctx, t); err != nil {
		return nil, fmt.Errorf("%w; informers told %v", err, t.all())
	}
	kept, err := core.ConfigMaps().Lister().ConfigMaps(c.namespace).List(labels.Everything())
	if err != nil || len(kept) != 2 {
		return nil, fmt.Errorf("the lister keeps %d ConfigMaps: %w", len(kept), errorOr(err))
	}
	return t.all(), nil
}

func (c *clients) before(ctx context.Context) error {
	if _, err := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap("before", "colour", "red"), metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := c.typed.CoreV1().Secrets(c.namespace).Create(ctx, secret("before", "hunter2"), metav1.CreateOptions{})
	return err
}

// change makes, changes and removes one object of each sort, and waits until the informers told of each step.
func (c *clients) change(ctx context.Context, t *told) error {
	core, apps := c.typed.CoreV1(), c.typed.AppsV1().Deployments(c.namespace)
	steps := []struct {
		do   func() error
		wait map[string]string
	}{
		{func() error {
			_, err := core.ConfigMaps(c.namespace).Create(ctx, configMap("live", "colour", "green"), metav1.CreateOptions{})
			return err
		}, map[string]string{"configmaps": `add live {"colour":"green"}`, "dynamic configmaps": "add live"}},
		{func() error {
			_, err := core.ConfigMaps(c.namespace).Patch(ctx, "live", types.MergePatchType, []byte(`{"data":{"colour":"blue"}}`), metav1.PatchOptions{})
			return err
		}, map[string]string{"configmaps": `update live {"colour":"blue"}`, "dynamic configmaps": "update live"}},
		{func() error { return core.ConfigMaps(c.namespace).Delete(ctx, "live", metav1.DeleteOptions{}) },
			map[string]string{"configmaps": "delete live", "dynamic configmaps": "delete live"}},
		{func() error {
			_, err := core.Secrets(c.namespace).Create(ctx, secret("live", "hunter2"), metav1.CreateOptions{})
			return err
		}, map[string]string{"secrets": "add live", "dynamic secrets": "add live", "metadata secrets": "add live"}},
		{func() error {
			patch := []byte(`{"metadata":{"labels":{"turned":"yes"}},"stringData":{"password":"hunter3"}}`)
			_, err := core.Secrets(c.namespace).Patch(ctx, "live", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
			return err
		}, map[string]string{"secrets": "update live", "metadata secrets": "update live"}},
		{func() error { return core.Secrets(c.namespace).Delete(ctx, "live", metav1.DeleteOptions{}) },
			map[string]string{"secrets": "delete live", "dynamic secrets": "delete live", "metadata secrets": "delete live"}},
		{func() error { _, err := apps.Create(ctx, deployment("web"), metav1.CreateOptions{}); return err },
			map[string]string{"deployments": "add web 1", "pods": "update web-"}},
		{func() error {
			foreground := metav1.DeletePropagationForeground
			return apps.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &foreground})
		}, map[string]string{"deployments": "delete web", "pods": "delete web-"}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return err
		}
		for informer, line := range s.wait {
			if err := await(ctx, informer+" "+line, func() (bool, error) { return t.has(informer, line), nil }); err != nil {
				return err
			}
		}
	}
	return nil
}
