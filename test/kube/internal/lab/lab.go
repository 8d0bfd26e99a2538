// Package lab runs a small Kubernetes of real parts on the loopback interface: etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler as child processes, and one node whose containers are local processes.
package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/version"

	"github.com/writhq/writ/test/kube/internal/node"
)

// startLimit is how long a lab may take to be ready, on a machine that has other work.
const startLimit = 2 * time.Minute

// poll is how often the lab looks whether a part is ready.
const poll = 20 * time.Millisecond

// Config says what a lab is.
type Config struct {
	// Dir keeps everything and is left as it is at the end. "" is a temporary folder that goes away.
	Dir string
	// Users sign in by a token that the lab makes; each has its groups.
	Users map[string][]string
	// TokenWebhook is the path of a kubeconfig: the API server asks that server about tokens it does not know. "" asks nobody.
	TokenWebhook string
	// APIServerFlags are added to those of kube-apiserver.
	APIServerFlags []string
	// Ready is called once, when all parts are there. Required.
	Ready func(Info)
}

type lab struct {
	cfg    Config
	dir    string
	port   int
	server string // URL of the API server
	etcd   string // URL
	peer   string // URL
	tokens map[string]string
	began  time.Time
}

// Run runs a lab until ctx ends, or a part of it does, which is an error. It leaves no process behind.
func Run(ctx context.Context, cfg Config) (err error) {
	if cfg.Ready == nil {
		return errors.New("lab: Ready is required")
	}
	if err := adopt(); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	l := &lab{cfg: cfg, tokens: map[string]string{}, began: time.Now()}
	remove, err := l.folder()
	if err != nil {
		return err
	}
	defer func() { sweep(); err = errors.Join(err, remove()) }()
	if err := l.address(); err != nil {
		return err
	}
	if err := l.write(); err != nil {
		return err
	}
	return l.run(ctx)
}

// folder makes the lab's folder and gives what removes it.
func (l *lab) folder() (remove func() error, err error) {
	if l.cfg.Dir == "" {
		l.dir, err = os.MkdirTemp("", "kubelab-")
		return func() error { return os.RemoveAll(l.dir) }, err
	}
	l.dir, err = filepath.Abs(l.cfg.Dir)
	return func() error { return nil }, err
}

func (l *lab) address() error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	l.port = ports[0]
	l.server = "https://127.0.0.1:" + strconv.Itoa(ports[0])
	l.etcd, l.peer = "http://127.0.0.1:"+strconv.Itoa(ports[1]), "http://127.0.0.1:"+strconv.Itoa(ports[2])
	return nil
}

// run starts the parts in their order and waits for the first to end.
func (l *lab) run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	start := func(name string, flags ...string) {
		parts.Go(func() error { return l.spawn(ctx, name, flags...) })
	}
	start("etcd", "-dir", l.path("etcd"), "-client", l.etcd, "-peer", l.peer)
	start("apiserver", l.apiserverFlags()...)
	parts.Go(func() error {
		client, err := l.client("node")
		if err != nil {
			return err
		}
		if err := await(ctx, "the API server", func() error { return ready(ctx, client) }); err != nil {
			return err
		}
		start("controllers", l.controllerFlags()...)
		start("scheduler", l.schedulerFlags()...)
		return l.runNode(ctx, client)
	})
	return parts.Wait()
}

// runNode runs the node, and tells that the lab is ready once a pod may be made.
func (l *lab) runNode(ctx context.Context, client kubernetes.Interface) error {
	serving, err := l.kubeletTLS()
	if err != nil {
		return err
	}
	n, err := node.New(node.Config{Name: nodeName, Client: client, Dir: l.path("pods"), TLS: serving, Version: version.Get().GitVersion})
	if err != nil {
		return err
	}
	return n.Run(ctx, func() error {
		err := await(ctx, "the default service account", func() error {
			_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
			return err
		})
		if err == nil {
			l.cfg.Ready(l.info())
		}
		return err
	})
}

// client signs in as a part of the lab.
func (l *lab) client(name string) (kubernetes.Interface, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", l.path(name+".kubeconfig"))
	if err != nil {
		return nil, err
	}
	cfg.QPS = -1 // no limit
	return kubernetes.NewForConfig(cfg)
}

// kubeletTLS takes only the API server, as a kubelet does.
func (l *lab) kubeletTLS() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(l.pair("kubelet").Cert, l.pair("kubelet").Key)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(l.pair("clients").Cert)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate of the clients' authority")
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}, nil
}

func (l *lab) info() Info {
	return Info{
		Server: l.server, Version: version.Get().GitVersion, CA: l.pair("servers").Cert,
		AdminKubeconfig: l.path("admin.kubeconfig"), AdminCert: l.pair("admin").Cert, AdminKey: l.pair("admin").Key,
		ClientCACert: l.pair("clients").Cert, ClientCAKey: l.pair("clients").Key, Tokens: l.tokens, AuditLog: l.path("audit.log"),
		Pods: l.path("pods"), Logs: l.path("logs"), Node: nodeName, Dir: l.dir, StartMillis: time.Since(l.began).Milliseconds(),
	}
}

// ready asks the API server whether it is.
func ready(ctx context.Context, client kubernetes.Interface) error {
	code := 0
	err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&code).Error()
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("readyz says %d", code)
	}
	return err
}

// await calls check until it succeeds, ctx ends or the time to start is over.
func await(ctx context.Context, what string, check func() error) error {
	deadline := time.Now().Add(startLimit)
	for {
		err := check()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not there in time: %w", what, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
	}
}
