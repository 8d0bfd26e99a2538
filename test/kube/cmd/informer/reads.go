package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
)

// discover learns what the cluster has, and maps kinds to resources by that.
func discover(_ context.Context, c *clients) (any, error) {
	_, lists, err := c.typed.Discovery().ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	var resources []string
	for _, l := range lists {
		for _, r := range l.APIResources {
			resources = append(resources, fmt.Sprintf("%s %s %s %v %v", l.GroupVersion, r.Name, r.Kind, r.Namespaced, r.Verbs))
		}
	}
	slices.Sort(resources)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.typed.Discovery()))
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	if err != nil {
		return nil, err
	}
	_, err = mapper.RESTMapping(schema.GroupKind{Group: "example.com", Kind: "Nothing"})
	if !meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the kind of nothing: %w", errorOr(err))
	}
	version, err := c.typed.Discovery().ServerVersion()
	if err != nil {
		return nil, err
	}
	paths, err := c.typed.Discovery().OpenAPIV3().Paths()
	return map[string]any{
		"resources": resources, "mapped": mapping.Resource.String(), "version": version.GitVersion, "openapi": len(paths),
	}, err
}

// pages reads lists in pieces, by hand and by client-go's pager.
func pages(ctx context.Context, c *clients) (any, error) {
	for i := range 7 {
		m, s := configMap(fmt.Sprintf("page-%d", i), "k", "v"), secret(fmt.Sprintf("page-%d", i), "hunter2")
		m.Labels = map[string]string{"page": "yes"}
		s.Labels = m.Labels
		_, err := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, m, metav1.CreateOptions{})
		_, err2 := c.typed.CoreV1().Secrets(c.namespace).Create(ctx, s, metav1.CreateOptions{})
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
	}
	saw := map[string]any{}
	for _, r := range []schema.GroupVersionResource{configMaps, secrets} {
		got, err := c.inPieces(ctx, r)
		if err != nil {
			return nil, err
		}
		saw[r.Resource] = got
	}
	each := 0
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return c.typed.CoreV1().Secrets(c.namespace).List(ctx, o)
	})
	p.PageSize = 2
	err := p.EachListItem(ctx, metav1.ListOptions{LabelSelector: "page=yes"}, func(runtime.Object) error { each++; return nil })
	saw["each"] = each
	return saw, err
}

func (c *clients) inPieces(ctx context.Context, r schema.GroupVersionResource) ([][]string, error) {
	var got [][]string
	options := metav1.ListOptions{Limit: 3, LabelSelector: "page=yes"}
	for {
		list, err := c.dynamic.Resource(r).Namespace(c.namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, o := range list.Items {
			names = append(names, o.GetName())
		}
		got = append(got, names)
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return got, nil
		}
	}
}

// lead holds a lease as controllers do, renews it, and gives it back.
func lead(ctx context.Context, c *clients) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var saw []string
	leading, done := make(chan struct{}), make(chan struct{})
	e, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Name: "leader", Namespace: c.namespace}, Client: c.typed.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: "one"},
		},
		LeaseDuration: time.Minute, RenewDeadline: 30 * time.Second, RetryPeriod: 200 * time.Millisecond, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { close(leading) }, OnStoppedLeading: func() {}},
	})
	if err != nil {
		return nil, err
	}
	go func() { defer close(done); e.Run(ctx) }()
	if err := await(ctx, "the lead", func() (bool, error) { return e.IsLeader(), nil }); err != nil {
		return nil, err
	}
	<-leading
	leases := c.typed.CoordinationV1().Leases(c.namespace)
	first, err := leases.Get(ctx, "leader", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	saw = append(saw, "led by "+*first.Spec.HolderIdentity)
	if err := await(ctx, "the renewal", func() (bool, error) {
		is, err := leases.Get(ctx, "leader", metav1.GetOptions{})
		return err == nil && is.Spec.RenewTime.After(first.Spec.RenewTime.Time), err
	}); err != nil {
		return nil, err
	}
	cancel()
	<-done
	last, err := leases.Get(context.WithoutCancel(ctx), "leader", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return append(saw, fmt.Sprintf("given back to %q", *last.Spec.HolderIdentity)), nil
}
