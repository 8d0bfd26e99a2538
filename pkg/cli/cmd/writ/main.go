// Command writ is the command line for people, agents and CI jobs.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/writhq/writ/pkg/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	os.Exit(cli.Run(ctx, cli.Process(), os.Args[1:]))
}
