package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	appsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1 "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/util/retry"
)

// write makes, changes and removes objects, rightly and wrongly.
func write(ctx context.Context, c *clients) (any, error) {
	saw := map[string]string{}
	for _, do := range []func(context.Context, map[string]string) error{c.refused, c.conflicts, c.patches, c.deletes, c.scale} {
		if err := do(ctx, saw); err != nil {
			return nil, fmt.Errorf("after %v: %w", saw, err)
		}
	}
	return saw, nil
}

// refused are writes that the API server does not take, and one that it only tries.
func (c *clients) refused(ctx context.Context, saw map[string]string) (err error) {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	tried, err := maps.Create(ctx, configMap("tried", "k", "v"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return err
	}
	saw["dry run"] = describe(tried)
	_, err = maps.Get(ctx, "tried", metav1.GetOptions{})
	if saw["missing"], err = fails(err, metav1.StatusReasonNotFound); err != nil {
		return err
	}
	_, err = maps.Create(ctx, configMap("before", "k", "v"), metav1.CreateOptions{})
	if saw["made before"], err = fails(err, metav1.StatusReasonAlreadyExists); err != nil {
		return err
	}
	wrong := deployment("wrong")
	wrong.Spec.Selector.MatchLabels = map[string]string{"app": "other"}
	_, err = c.typed.AppsV1().Deployments(c.namespace).Create(ctx, wrong, metav1.CreateOptions{})
	if saw["invalid"], err = fails(err, metav1.StatusReasonInvalid); err != nil {
		return err
	}
	strange := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "strange"}, "strange": "yes",
	}}
	_, err = c.dynamic.Resource(configMaps).Namespace(c.namespace).Create(ctx, strange, metav1.CreateOptions{FieldValidation: "Strict"})
	saw["unknown field"], err = fails(err, metav1.StatusReasonBadRequest)
	return err
}

// conflicts writes an old version of an object, and then as one should.
func (c *clients) conflicts(ctx context.Context, saw map[string]string) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	old, err := maps.Create(ctx, configMap("contended", "n", "1"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	is := old.DeepCopy()
	is.Data["n"] = "2"
	if _, err := maps.Update(ctx, is, metav1.UpdateOptions{}); err != nil {
		return err
	}
	_, err = maps.Update(ctx, old, metav1.UpdateOptions{})
	if saw["conflict"], err = fails(err, metav1.StatusReasonConflict); err != nil {
		return err
	}
	tries := 0
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if tries++; tries > 1 {
			if old, err = maps.Get(ctx, "contended", metav1.GetOptions{}); err != nil {
				return err
			}
		}
		old.Data["n"] += "3"
		old, err = maps.Update(ctx, old, metav1.UpdateOptions{})
		return err
	})
	saw["retried"] = fmt.Sprintf("%d tries: %s", tries, describe(old))
	return err
}

func (c *clients) patches(ctx context.Context, saw map[string]string) error {
	for _, p := range []struct {
		kind types.PatchType
		text string
	}{
		{types.JSONPatchType, `[{"op":"add","path":"/data/json","value":"1"}]`},
		{types.MergePatchType, `{"data":{"merge":"2"}}`},
		{types.StrategicMergePatchType, `{"data":{"strategic":"3"}}`},
	} {
		is, err := c.typed.CoreV1().ConfigMaps(c.namespace).Patch(ctx, "before", p.kind, []byte(p.text), metav1.PatchOptions{FieldManager: "patcher"})
		if err != nil {
			return err
		}
		saw[string(p.kind)] = describe(is)
	}
	return nil
}

func (c *clients) deletes(ctx context.Context, saw map[string]string) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	for _, name := range []string{"gone-1", "gone-2", "gone-3"} {
		o := configMap(name, "k", "v")
		o.Labels = map[string]string{"gone": "yes"}
		if _, err := maps.Create(ctx, o, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	other := types.UID("another")
	err := maps.Delete(ctx, "gone-1", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	if _, err := fails(err, metav1.StatusReasonConflict); err != nil {
		return err
	}
	if err := maps.Delete(ctx, "gone-1", metav1.DeleteOptions{}); err != nil {
		return err
	}
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "gone=yes"}); err != nil {
		return err
	}
	left, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "gone=yes"})
	if err == nil && len(left.Items) > 0 {
		err = fmt.Errorf("%d are left", len(left.Items))
	}
	saw["deleted"] = "all"
	return err
}

func (c *clients) scale(ctx context.Context, saw map[string]string) error {
	apps := c.typed.AppsV1().Deployments(c.namespace)
	o := deployment("scaled")
	*o.Spec.Replicas = 0
	if _, err := apps.Create(ctx, o, metav1.CreateOptions{}); err != nil {
		return err
	}
	// The cluster's controllers write to it too.
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		s, err := apps.GetScale(ctx, "scaled", metav1.GetOptions{})
		if err != nil {
			return err
		}
		s.Spec.Replicas = 1
		if s, err = apps.UpdateScale(ctx, "scaled", s, metav1.UpdateOptions{}); err == nil {
			saw["scale"] = fmt.Sprint(s.Spec.Replicas)
		}
		return err
	})
	if err != nil {
		return err
	}
	return apps.Delete(ctx, "scaled", metav1.DeleteOptions{})
}

// apply owns fields by server-side apply, contends for one, and reads back what it owns.
func apply(ctx context.Context, c *clients) (any, error) {
	apps, saw := c.typed.AppsV1().Deployments(c.namespace), map[string]string{}
	wanted := func(replicas int32) *appsv1.DeploymentApplyConfiguration {
		app := map[string]string{"app": "applied"}
		container := corev1.Container().WithName("main").WithImage("app:2").WithCommand("sleep", "600")
		return appsv1.Deployment("applied", c.namespace).WithSpec(appsv1.DeploymentSpec().WithReplicas(replicas).
			WithSelector(applymeta.LabelSelector().WithMatchLabels(app)).
			WithTemplate(corev1.PodTemplateSpec().WithLabels(app).WithSpec(corev1.PodSpec().WithContainers(container))))
	}
	if _, err := apps.Apply(ctx, wanted(0), metav1.ApplyOptions{FieldManager: "first"}); err != nil {
		return nil, err
	}
	_, err := apps.Apply(ctx, wanted(1), metav1.ApplyOptions{FieldManager: "second"})
	if saw["contended"], err = fails(err, metav1.StatusReasonConflict); err != nil {
		return nil, err
	}
	is, err := apps.Apply(ctx, wanted(1), metav1.ApplyOptions{FieldManager: "second", Force: true})
	if err != nil {
		return nil, err
	}
	own, err := appsv1.ExtractDeployment(is, "second")
	if err != nil {
		return nil, err
	}
	saw["forced"] = fmt.Sprintf("%s, of which its own %d", describe(is), *own.Spec.Replicas)
	return saw, apps.Delete(ctx, "applied", metav1.DeleteOptions{})
}
