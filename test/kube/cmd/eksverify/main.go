// Command eksverify verifies tokens of EKS with the code that EKS runs, aws-iam-authenticator, where a moto has made the
// credentials. It reads a token and prints whose it is; `eksverify serve` answers an API server's token reviews and prints one
// line of JSON when it does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"sigs.k8s.io/aws-iam-authenticator/pkg/token"

	"github.com/writhq/writ/test/kube/internal/eks"
	"github.com/writhq/writ/test/kube/internal/sts"
)

type settings struct {
	cluster, region, moto, dir string
	roles                      map[string][]string
}

func main() {
	args, run := os.Args[1:], verify
	if len(args) > 0 && args[0] == "serve" {
		args, run = args[1:], serve
	}
	if err := run(parse(args)); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parse(args []string) settings {
	s := settings{roles: map[string][]string{}}
	fs := flag.NewFlagSet("eksverify [serve]", flag.ExitOnError)
	fs.StringVar(&s.cluster, "cluster", "", "name of the cluster that tokens are for")
	fs.StringVar(&s.region, "region", "us-east-1", "region of the cluster")
	fs.StringVar(&s.moto, "moto", "", "URL of the moto that made the credentials")
	fs.StringVar(&s.dir, "dir", "", "serve: folder for the certificate and the kubeconfig of the API server")
	fs.Func("role", "serve: `arn[=group,...]` of a role with an access entry; may be given more than once", func(v string) error {
		arn, groups, _ := strings.Cut(v, "=")
		s.roles[arn] = strings.FieldsFunc(groups, func(r rune) bool { return r == ',' })
		return nil
	})
	_ = fs.Parse(args)
	// The verifier calls STS through the default transport and cannot be given another.
	moto := sts.Moto{URL: s.moto, Client: &http.Client{Transport: http.DefaultTransport, Timeout: time.Minute}}
	http.DefaultTransport = sts.Transport{Keys: moto, Now: time.Now}
	return s
}

// verify prints whose the token on the standard input is.
func verify(s settings) error {
	if s.cluster == "" || s.moto == "" {
		return errors.New("-cluster and -moto are required")
	}
	bearer, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	id, err := token.NewVerifier(s.cluster, "aws", s.region).Verify(strings.TrimSpace(string(bearer)))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]string{
		"arn": id.ARN, "canonical_arn": id.CanonicalARN, "account": id.AccountID, "user_id": id.UserID,
		"session_name": id.SessionName, "access_key_id": id.AccessKeyID,
	})
}

// serve answers token reviews until it is told to end.
func serve(s settings) error {
	if s.cluster == "" || s.moto == "" || s.dir == "" {
		return errors.New("-cluster, -moto and -dir are required")
	}
	reviewer, err := eks.New(s.cluster, s.region, s.roles)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	return eks.Serve(ctx, s.dir, reviewer, func(kubeconfig string) {
		_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"kubeconfig": kubeconfig})
	})
}
