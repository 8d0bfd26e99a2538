package main

import (
	"bufio"
	"context"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// worker is the pod that the streams are of.
const worker = "worker"

// logs starts the worker and reads what it prints, once it has and while it does.
func logs(ctx context.Context, c *clients) (any, error) {
	pods := c.typed.CoreV1().Pods(c.namespace)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: worker}, Spec: podSpec("echo hello; i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.2; done")}
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	if err := await(ctx, "the worker", func() (bool, error) {
		is, err := pods.Get(ctx, worker, metav1.GetOptions{})
		return err == nil && is.Status.Phase == corev1.PodRunning, err
	}); err != nil {
		return nil, err
	}
	follow, err := pods.GetLogs(worker, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer follow.Close()
	var seen []string
	for lines := bufio.NewScanner(follow); len(seen) < 4 && lines.Scan(); {
		seen = append(seen, lines.Text())
	}
	few := int64(12)
	start, err := pods.GetLogs(worker, &corev1.PodLogOptions{LimitBytes: &few}).DoRaw(ctx)
	return append(seen, string(start)), err
}

// events tells of the worker twice, which is one event that is counted.
func events(ctx context.Context, c *clients) (any, error) {
	pod, err := c.typed.CoreV1().Pods(c.namespace).Get(ctx, worker, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	b := record.NewBroadcaster(record.WithContext(ctx))
	defer b.Shutdown()
	b.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: c.typed.CoreV1().Events(c.namespace)})
	r := b.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "informer"})
	for range 2 {
		r.Event(pod, corev1.EventTypeNormal, "Seen", "the worker was seen")
	}
	var saw string
	err = await(ctx, "the event, twice", func() (bool, error) {
		list, err := c.typed.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=Seen,involvedObject.name=" + worker})
		if err != nil || len(list.Items) != 1 || list.Items[0].Count != 2 {
			return false, err
		}
		saw = list.Items[0].Message
		return true, nil
	})
	return saw, err
}

// evict takes the worker away by its eviction.
func evict(ctx context.Context, c *clients) (any, error) {
	pods := c.typed.CoreV1().Pods(c.namespace)
	if err := pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: worker, Namespace: c.namespace}}); err != nil {
		return nil, err
	}
	return "evicted", await(ctx, "the end of the worker", func() (bool, error) {
		_, err := pods.Get(ctx, worker, metav1.GetOptions{})
		if err == nil {
			return false, nil
		}
		_, err = fails(err, metav1.StatusReasonNotFound)
		return err == nil, err
	})
}
