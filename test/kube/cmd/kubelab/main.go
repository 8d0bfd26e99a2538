// Command kubelab runs a Kubernetes of real parts for tests: `kubelab up` prints one line of JSON when it is ready and runs
// until it is told to end. The other subcommands are its parts.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/writhq/writ/test/kube/internal/lab"
)

const usage = "usage: kubelab up [flags] | etcd | apiserver | controllers | scheduler"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	name, args := os.Args[1], os.Args[2:]
	os.Args = os.Args[1:] // the parts read their flags from here
	switch name {
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controllers":
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	case "scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "etcd":
		exit(etcd(args))
	case "up":
		exit(up(args))
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func etcd(args []string) error {
	fs := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := fs.String("dir", "", "folder of the data")
	client := fs.String("client", "", "URL for clients")
	peer := fs.String("peer", "", "URL for other members")
	_ = fs.Parse(args)
	ctx, stop := untilTold()
	defer stop()
	return lab.Etcd(ctx, *dir, *client, *peer)
}

func up(args []string) error {
	cfg := lab.Config{Users: map[string][]string{}, Ready: func(i lab.Info) { _ = json.NewEncoder(os.Stdout).Encode(i) }}
	fs := flag.NewFlagSet("up", flag.ExitOnError)
	fs.StringVar(&cfg.Dir, "dir", "", "keep everything in this folder (default: a temporary one, removed at the end)")
	fs.StringVar(&cfg.TokenWebhook, "token-webhook", "", "kubeconfig of the server that the API server asks about tokens")
	fs.Func("user", "`name[=group,...]` signs in by a token; may be given more than once", func(v string) error {
		name, groups, _ := strings.Cut(v, "=")
		cfg.Users[name] = strings.FieldsFunc(groups, func(r rune) bool { return r == ',' })
		return nil
	})
	fs.Func("apiserver-flag", "a further `flag` of kube-apiserver; may be given more than once", func(v string) error {
		cfg.APIServerFlags = append(cfg.APIServerFlags, v)
		return nil
	})
	_ = fs.Parse(args)
	ctx, stop := untilTold()
	defer stop()
	return lab.Run(ctx, cfg)
}

func untilTold() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
}
