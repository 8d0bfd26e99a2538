// Package node is a Kubernetes node whose containers are local processes, without any isolation: what tests need of a kubelet,
// served in its way. Images are ignored; a container without a command sleeps.
package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Config says what a node is. All of it is required.
type Config struct {
	Name    string
	Client  kubernetes.Interface
	Dir     string      // folders of the containers
	TLS     *tls.Config // of the server that the API server calls
	Version string      // that the node tells of itself
}

// Node runs the pods that are bound to it.
type Node struct {
	cfg  Config
	mu   sync.Mutex
	pods map[types.UID]*pod
	work sync.WaitGroup
}

// New makes a node that is not registered yet.
func New(cfg Config) (*Node, error) {
	if cfg.Name == "" || cfg.Client == nil || cfg.Dir == "" || cfg.TLS == nil || cfg.Version == "" {
		return nil, errors.New("node: a setting is missing")
	}
	return &Node{cfg: cfg, pods: map[types.UID]*pod{}}, nil
}

// Run registers the node, calls ready and runs pods until ctx ends; then it kills their processes.
func (n *Node) Run(ctx context.Context, ready func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer n.work.Wait()
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := n.server()
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(listener, "", "") }()
	defer server.Close()
	if err := n.register(ctx, listener.Addr().(*net.TCPAddr).Port); err != nil {
		return fmt.Errorf("register node: %w", err)
	}
	shutdown, err := n.watch(ctx)
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer func() { cancel(); shutdown() }()
	if err := ready(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("serve node: %w", err)
	}
}

// register makes the node, ready to take pods, reached at the port.
func (n *Node) register(ctx context.Context, port int) error {
	nodes := n.cfg.Client.CoreV1().Nodes()
	made, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.cfg.Name, Labels: map[string]string{
		corev1.LabelHostname: n.cfg.Name, corev1.LabelOSStable: "linux",
	}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1000"), corev1.ResourceMemory: resource.MustParse("1000Gi"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	made.Status = corev1.NodeStatus{
		Capacity: room, Allocatable: room,
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}, {Type: corev1.NodeHostName, Address: n.cfg.Name}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Registered", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
		}},
		NodeInfo: corev1.NodeSystemInfo{KubeletVersion: n.cfg.Version, OperatingSystem: "linux", Architecture: "amd64"},
	}
	if made, err = nodes.UpdateStatus(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	made.Spec.Taints = nil // the API server taints a node that it has not seen ready
	_, err = nodes.Update(ctx, made, metav1.UpdateOptions{})
	return err
}

// watch follows the pods until ctx ends. It returns when it has seen those that are there; shutdown waits for its end.
func (n *Node) watch(ctx context.Context) (shutdown func(), err error) {
	factory := informers.NewSharedInformerFactoryWithOptions(n.cfg.Client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", n.cfg.Name).String()
	}))
	informer := factory.Core().V1().Pods().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.seen(ctx, o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { n.seen(ctx, o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			if p, ok := o.(*corev1.Pod); ok {
				n.forget(p.UID)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, ctx.Err()
	}
	return factory.Shutdown, nil
}

// server serves what the API server asks of a kubelet. SPDY upgrades an HTTP/1.1 connection.
func (n *Node) server() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", n.serveExec)
	mux.HandleFunc("/attach/{namespace}/{pod}/{container}", n.serveAttach)
	mux.HandleFunc("/portForward/{namespace}/{pod}", n.servePortForward)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.serveLogs)
	settings := n.cfg.TLS.Clone()
	settings.NextProtos = []string{"http/1.1"}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{Handler: mux, TLSConfig: settings, Protocols: protocols, ReadHeaderTimeout: time.Minute}
}

// find gives the container that a request names, or answers that there is none.
func (n *Node) find(w http.ResponseWriter, r *http.Request) *container {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		if p.namespace == r.PathValue("namespace") && p.name == r.PathValue("pod") {
			if c := p.containers[r.PathValue("container")]; c != nil {
				return c
			}
		}
	}
	http.Error(w, "no such container: "+r.URL.Path, http.StatusNotFound)
	return nil
}
