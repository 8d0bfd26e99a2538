package lab

import (
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/writhq/writ/test/kube/internal/pki"
)

// Names of the lab's own parts, as which they sign in. What they do is left out of the audit log.
const (
	nodeName   = "lab"
	controller = "system:kube-controller-manager"
	scheduler  = "system:kube-scheduler"
	kubelet    = "system:node:" + nodeName
	masters    = "system:masters"
)

// auditPolicy leaves the lab's own parts out, tells of every other request, and shows what writes said. A user is the one who
// signed in, so that what is done in another's name is told too.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "` + controller + `", "` + scheduler + `", "` + kubelet + `"]
- level: Request
  verbs: [create, update, patch, delete, deletecollection]
- level: Metadata
`

// path is of a file of the lab.
func (l *lab) path(elem ...string) string { return filepath.Join(append([]string{l.dir}, elem...)...) }

// pair is of a certificate of the lab.
func (l *lab) pair(name string) pki.Pair {
	return pki.Pair{Cert: l.path("pki", name+".crt"), Key: l.path("pki", name+".key")}
}

// write makes all that the parts of the lab read when they start.
func (l *lab) write() error {
	for _, dir := range []string{"pki", "etcd", "pods", "logs"} {
		if err := os.MkdirAll(l.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := l.certificates(); err != nil {
		return err
	}
	if err := os.WriteFile(l.path("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	return l.users()
}

func (l *lab) certificates() error {
	servers, err := pki.NewAuthority("lab servers", l.pair("servers"))
	if err != nil {
		return err
	}
	clients, err := pki.NewAuthority("lab clients", l.pair("clients"))
	if err != nil {
		return err
	}
	for _, name := range []string{"apiserver", "kubelet"} {
		if err := servers.Server(name, l.pair(name)); err != nil {
			return err
		}
	}
	for name, user := range map[string]string{
		"admin": "admin", "controllers": controller, "scheduler": scheduler, "node": kubelet, "kubelet-client": "kube-apiserver-kubelet-client",
	} {
		if err := clients.Client(user, []string{masters}, l.pair(name)); err != nil {
			return err
		}
		if err := l.kubeconfig(name); err != nil {
			return err
		}
	}
	return pki.SigningKey(l.pair("accounts"))
}

// kubeconfig writes the one of a client by its certificate.
func (l *lab) kubeconfig(name string) error {
	cfg := api.NewConfig()
	cfg.Clusters["lab"] = &api.Cluster{Server: l.server, CertificateAuthority: l.pair("servers").Cert}
	cfg.AuthInfos[name] = &api.AuthInfo{ClientCertificate: l.pair(name).Cert, ClientKey: l.pair(name).Key}
	cfg.Contexts["lab"] = &api.Context{Cluster: "lab", AuthInfo: name}
	cfg.CurrentContext = "lab"
	return clientcmd.WriteToFile(*cfg, l.path(name+".kubeconfig"))
}

// users writes the file of those who sign in by a token: token, name, uid and, where there are any, groups.
func (l *lab) users() error {
	f, err := os.OpenFile(l.path("tokens.csv"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	rows := csv.NewWriter(f)
	uid := 1000
	for user, groups := range l.cfg.Users {
		uid++
		l.tokens[user] = rand.Text()
		row := []string{l.tokens[user], user, strconv.Itoa(uid)}
		if len(groups) > 0 {
			row = append(row, strings.Join(groups, ","))
		}
		if err := rows.Write(row); err != nil {
			return err
		}
	}
	rows.Flush()
	if err := rows.Error(); err != nil {
		return fmt.Errorf("write tokens: %w", err)
	}
	return f.Close()
}
