package node

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

// pod is one that runs here.
type pod struct {
	namespace, name string
	uid             types.UID
	dir             string
	started         metav1.Time
	order           []string              // names of the containers, ephemeral ones last
	containers      map[string]*container // under the node's lock
	ephemeral       map[string]bool
	end             context.CancelFunc
	ctx             context.Context
	telling         sync.Mutex // one status at a time
	deleting        sync.Once
}

// seen brings what runs in line with a pod that was made or changed.
func (n *Node) seen(ctx context.Context, spec *corev1.Pod) {
	if spec.DeletionTimestamp != nil {
		n.remove(ctx, spec)
		return
	}
	if ctx.Err() != nil || spec.Status.Phase == corev1.PodSucceeded || spec.Status.Phase == corev1.PodFailed {
		return
	}
	n.mu.Lock()
	p := n.pods[spec.UID]
	if p == nil {
		p = n.newPod(ctx, spec)
		n.pods[spec.UID] = p
	}
	fresh := n.missing(p, spec)
	n.mu.Unlock()
	for _, c := range fresh {
		n.work.Go(func() { c.run(p.ctx, func() { n.tell(ctx, p) }) })
	}
}

func (n *Node) newPod(ctx context.Context, spec *corev1.Pod) *pod {
	p := &pod{
		namespace: spec.Namespace, name: spec.Name, uid: spec.UID, started: metav1.Now(), containers: map[string]*container{}, ephemeral: map[string]bool{},
		dir: filepath.Join(n.cfg.Dir, string(spec.UID)),
	}
	p.ctx, p.end = context.WithCancel(ctx)
	n.work.Go(func() {
		<-p.ctx.Done()
		for _, c := range p.all(n) {
			<-c.ended
		}
		_ = os.RemoveAll(p.dir)
	})
	return p
}

// missing makes the containers that do not run yet. The node's lock is held.
func (n *Node) missing(p *pod, spec *corev1.Pod) []*container {
	var fresh []*container
	add := func(c corev1.Container, restart corev1.RestartPolicy) {
		if p.containers[c.Name] != nil {
			return
		}
		made := newContainer(n.cfg.Client, spec, c, restart, filepath.Join(p.dir, c.Name))
		p.containers[c.Name], p.order = made, append(p.order, c.Name)
		fresh = append(fresh, made)
	}
	for _, c := range spec.Spec.Containers {
		add(c, spec.Spec.RestartPolicy)
	}
	for _, c := range spec.Spec.EphemeralContainers {
		p.ephemeral[c.Name] = true
		add(corev1.Container(c.EphemeralContainerCommon), corev1.RestartPolicyNever)
	}
	return fresh
}

// all gives the containers in their order.
func (p *pod) all(n *Node) []*container {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*container, 0, len(p.order))
	for _, name := range p.order {
		all = append(all, p.containers[name])
	}
	return all
}

// remove ends a pod that is being deleted, and then lets the API server forget it.
func (n *Node) remove(ctx context.Context, spec *corev1.Pod) {
	n.mu.Lock()
	p := n.pods[spec.UID]
	n.mu.Unlock()
	once := new(sync.Once)
	if p != nil {
		p.end()
		once = &p.deleting
	}
	once.Do(func() {
		n.work.Go(func() {
			if p != nil {
				for _, c := range p.all(n) {
					<-c.ended
				}
			}
			now := int64(0)
			err := n.cfg.Client.CoreV1().Pods(spec.Namespace).Delete(ctx, spec.Name, metav1.DeleteOptions{
				GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(spec.UID)),
			})
			if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
				klog.ErrorS(err, "delete pod", "pod", klog.KObj(spec))
			}
		})
	})
}

// forget ends a pod that the API server no longer has.
func (n *Node) forget(uid types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.pods[uid]; p != nil {
		p.end()
		delete(n.pods, uid)
	}
}

// tell brings the pod's status to the API server.
func (n *Node) tell(ctx context.Context, p *pod) {
	p.telling.Lock()
	defer p.telling.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.uid}, "status": n.status(p)})
	if err == nil {
		_, err = n.cfg.Client.CoreV1().Pods(p.namespace).Patch(ctx, p.name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) && p.ctx.Err() == nil {
		klog.ErrorS(err, "tell status of pod", "pod", klog.KRef(p.namespace, p.name))
	}
}

// status sums the containers up.
func (n *Node) status(p *pod) corev1.PodStatus {
	s := corev1.PodStatus{
		Phase: corev1.PodSucceeded, HostIP: "127.0.0.1", PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}},
		HostIPs: []corev1.HostIP{{IP: "127.0.0.1"}}, StartTime: &p.started,
	}
	ready := true
	for _, c := range p.all(n) {
		one, over := c.status()
		if p.ephemeral[one.Name] {
			s.EphemeralContainerStatuses = append(s.EphemeralContainerStatuses, one)
			continue
		}
		s.ContainerStatuses = append(s.ContainerStatuses, one)
		ready = ready && one.Ready
		if !over {
			s.Phase = corev1.PodRunning
		} else if one.State.Terminated.ExitCode != 0 && s.Phase != corev1.PodRunning {
			s.Phase = corev1.PodFailed
		}
	}
	state := corev1.ConditionFalse
	if ready {
		state = corev1.ConditionTrue
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: kind, Status: state, LastTransitionTime: metav1.Now()})
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized} {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: p.started})
	}
	return s
}
