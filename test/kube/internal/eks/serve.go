package eks

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/writhq/writ/test/kube/internal/pki"
)

// Serve serves the handler over TLS on the loopback interface until ctx ends. In dir it writes the kubeconfig by which an API
// server calls it, and gives its path to ready.
func Serve(ctx context.Context, dir string, h http.Handler, ready func(kubeconfig string)) error {
	file := func(name string) string { return filepath.Join(dir, name) }
	ca, serving := pki.Pair{Cert: file("ca.crt"), Key: file("ca.key")}, pki.Pair{Cert: file("server.crt"), Key: file("server.key")}
	authority, err := pki.NewAuthority("token reviews", ca)
	if err != nil {
		return err
	}
	if err := authority.Server("token reviews", serving); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cfg := api.NewConfig()
	cfg.Clusters["reviews"] = &api.Cluster{Server: "https://" + listener.Addr().String() + "/", CertificateAuthority: ca.Cert}
	cfg.AuthInfos["apiserver"] = api.NewAuthInfo()
	cfg.Contexts["reviews"] = &api.Context{Cluster: "reviews", AuthInfo: "apiserver"}
	cfg.CurrentContext = "reviews"
	if err := clientcmd.WriteToFile(*cfg, file("webhook.kubeconfig")); err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	ready(file("webhook.kubeconfig"))
	if err := server.ServeTLS(listener, serving.Cert, serving.Key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
