package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/kubeconfig"
)

type kubeCmd struct {
	Login  kubeLoginCmd  `cmd:"" help:"Put a cluster into your kubeconfig."`
	Token  kubeTokenCmd  `cmd:"" help:"Print a token as kubectl asks a plugin for it."`
	Logout kubeLogoutCmd `cmd:"" help:"Take clusters out of your kubeconfig."`
}

// kubeconfigError adds the next step.
func kubeconfigError(err error) error {
	switch {
	case errors.Is(err, kubeconfig.ErrLocked):
		return failed("if no kubectl config runs, remove that file", "%w", err)
	case errors.Is(err, kubeconfig.ErrTaken):
		return failed("give another name with --context", "%w", err)
	case errors.Is(err, kubeconfig.ErrFormat):
		return failed("put right what it says, or write another file with --kubeconfig", "%w", err)
	}
	return err
}

type kubeconfigFlag struct {
	Kubeconfig string `placeholder:"FILE" help:"The file to change. Default: the first of KUBECONFIG that exists, else ~/.kube/config."`
}

// file is the file that kubectl config would change.
func (f kubeconfigFlag) file(a *app) (string, error) {
	if f.Kubeconfig != "" {
		return f.Kubeconfig, nil
	}
	var last string
	for name := range strings.SplitSeq(a.env.get("KUBECONFIG"), string(os.PathListSeparator)) {
		if name == "" {
			continue
		}
		if _, err := os.Stat(name); err == nil {
			return name, nil
		}
		last = name
	}
	home := a.env.get("HOME")
	switch {
	case last != "":
		return last, nil
	case home == "":
		return "", misused("give --kubeconfig", "there is no home folder for a kubeconfig")
	}
	return filepath.Join(home, ".kube", "config"), nil
}

type kubeLogoutCmd struct {
	Cluster []string `arg:"" optional:"" help:"The clusters. Default: all that writ kube login put there."`

	kubeconfigFlag `embed:""`
}

// Help is shown below the usage.
func (kubeLogoutCmd) Help() string {
	return "Grants and sessions go on; end them with `writ revoke`.\n\n" + examples("writ kube logout shop-k8s", "writ kube logout")
}

// kubeLogout is the JSON form of the command's output.
type kubeLogout struct {
	Kubeconfig string   `json:"kubeconfig"`
	Contexts   []string `json:"contexts"` // that are gone
}

// Run edits the kubeconfig.
func (c *kubeLogoutCmd) Run(ctx context.Context, a *app) error {
	file, err := c.file(a)
	if err != nil {
		return err
	}
	done := kubeLogout{Kubeconfig: file, Contexts: []string{}}
	err = kubeconfig.Edit(ctx, file, func(f *kubeconfig.File) error {
		clusters := c.Cluster
		if len(clusters) == 0 {
			if clusters, err = f.Clusters(); err != nil {
				return err
			}
		}
		for _, cluster := range clusters {
			contexts, err := f.Remove(cluster)
			if err != nil {
				return err
			}
			done.Contexts = append(done.Contexts, contexts...)
		}
		return nil
	})
	if err != nil {
		return kubeconfigError(err)
	}
	if a.json {
		return a.out.JSON(done)
	}
	if len(done.Contexts) == 0 {
		return a.out.Printf("nothing of writ's is in %s", file)
	}
	return a.out.Printf("took %s out of %s", strings.Join(done.Contexts, ", "), file)
}
