package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/keyserver"
)

type awsExecCmd struct {
	Resource string   `arg:"" help:"The account, a resource's name."`
	Command  []string `arg:"" help:"The program and its arguments, after --."`
	Static   bool     `help:"Give the program one key, in variables, instead of an address where it gets new ones."`
	Region   string   `placeholder:"REGION" help:"The region. Default: what AWS_REGION, AWS_DEFAULT_REGION or your AWS config file says."`

	awsAccessFlags `embed:""`
}

// Help is shown below the usage.
func (awsExecCmd) Help() string {
	return "The program finds keys, proxy and CA in its environment, and needs no settings of its own; your AWS config and credentials files are " +
		"hidden from it, since what they say would lead elsewhere. The keys are worth nothing to AWS, only to the edge, which signs " +
		"what it lets through anew. They come from an address of loopback that SDKs ask again before a key ends, so a program may run for as long as " +
		"grants are extended. All HTTPS of the program goes to the edge, which reaches nothing but AWS. The SDK for JavaScript heeds no proxy: " +
		"give --endpoint.\n\n" + endpointHelp + "\n\nExits as the program does.\n\n" +
		examples("writ aws exec prod -- aws s3 ls", "writ aws exec prod --region eu-west-1 -- python3 report.py",
			"writ aws exec prod -- terraform plan", "writ aws exec prod --endpoint --static -- node backup.js")
}

// exitNotFound is what shells answer where there is no such program.
const exitNotFound = 127

// Run starts the program.
func (c *awsExecCmd) Run(ctx context.Context, a *app) error {
	program, err := c.program(a)
	if err != nil {
		return err
	}
	account, err := c.account(ctx, a, c.Resource)
	if err != nil {
		return err
	}
	dir, err := a.privateFolder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	vars, err := account.way.files(dir)
	if err != nil {
		return err
	}
	keys, stop, err := c.keys(ctx, account.source)
	if err != nil {
		return err
	}
	defer stop()
	env := awsEnviron{way: account.way, server: account.server, region: a.awsRegion(c.Region)}
	cmd := exec.Command(program, c.Command[1:]...)
	cmd.Args[0] = c.Command[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.env.Stdin, a.env.Stdout, a.env.Stderr
	cmd.Env = env.of(a.env, vars, keys)
	return a.runChild(cmd)
}

// program finds what to start.
func (c *awsExecCmd) program(a *app) (string, error) {
	name := c.Command[0]
	if strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	if path, ok := a.find(name); ok {
		return path, nil
	}
	return "", &failure{code: exitNotFound, err: fmt.Errorf("%s is not on the PATH", name), hint: "for example: writ aws exec " + c.Resource + " -- aws s3 ls"}
}

// keys are the variables by which the program comes to its keys, for as long as stop is not called.
func (c *awsExecCmd) keys(ctx context.Context, source *tokens) (vars []string, stop func(), err error) {
	if c.Static {
		_, tok := source.about()
		key, err := clientKey(tok)
		return []string{"AWS_ACCESS_KEY_ID=" + key.ID, "AWS_SECRET_ACCESS_KEY=" + key.Secret, "AWS_SESSION_TOKEN=" + key.SessionToken}, func() {}, err
	}
	// A signal is the program's to act on: it ends the server only by ending the program.
	server, err := keyserver.Listen(context.WithoutCancel(ctx), keyserver.Config{Key: source.key})
	if err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve() // the program says that it gets no keys
	}()
	return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + server.URL(), "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + server.Password()},
		func() { server.Close(); <-done }, nil
}
