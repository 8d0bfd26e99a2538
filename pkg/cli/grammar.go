package cli

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/writhq/writ/pkg/version"
)

const about = `Ask for access right before you act, approve it for others, and see what was done.

Agents and CI jobs set WRIT_SERVER, WRIT_CA_FILE and WRIT_TOKEN (a login token or an OIDC ID token); people run
"writ login". Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 waits for approval.`

// grammar is every command and flag. The commands are in the files named after them.
type grammar struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"Form of the output: table or json."`

	Login  loginCmd  `cmd:"" group:"identity" help:"Sign in to a control plane."`
	Logout logoutCmd `cmd:"" group:"identity" help:"End the login and forget it."`
	Whoami whoamiCmd `cmd:"" group:"identity" help:"Show who you are to the control plane."`

	Request  requestCmd  `cmd:"" group:"access" help:"Ask for access to a resource."`
	Wait     waitCmd     `cmd:"" group:"access" help:"Wait until a request of yours is decided."`
	Withdraw withdrawCmd `cmd:"" group:"access" help:"Take back your own pending request."`
	Requests requestsCmd `cmd:"" group:"access" help:"List access requests."`
	Grants   grantsCmd   `cmd:"" group:"access" help:"Show grants."`
	Token    tokenCmd    `cmd:"" group:"access" help:"Print an access token, the password for a client."`
	Connect  connectCmd  `cmd:"" group:"access" help:"Open a local port or socket to a resource."`
	Psql     psqlCmd     `cmd:"" group:"access" help:"Start psql on a resource."`
	Kube     kubeCmd     `cmd:"" group:"access" help:"Let kubectl reach a cluster."`
	AWS      awsCmd      `cmd:"" name:"aws" group:"access" help:"Let AWS's tools reach an account."`

	List    listCmd    `cmd:"" group:"approval" help:"List what waits for approval."`
	Show    showCmd    `cmd:"" group:"approval" help:"Show one access request or held command."`
	Approve approveCmd `cmd:"" group:"approval" help:"Approve an access request or a held command."`
	Deny    denyCmd    `cmd:"" group:"approval" help:"Deny an access request or a held command."`

	Sessions sessionsCmd `cmd:"" group:"oversight" help:"List, follow, replay and end sessions."`
	Revoke   revokeCmd   `cmd:"" group:"oversight" help:"End a grant and its sessions now."`
	Review   reviewCmd   `cmd:"" group:"oversight" help:"Say whether breaking the glass was right."`
	Lock     lockCmd     `cmd:"" group:"oversight" help:"Stop a principal, resource, edge or grant now, everywhere."`
	Unlock   unlockCmd   `cmd:"" group:"oversight" help:"Remove a lock."`
	Locks    locksCmd    `cmd:"" group:"oversight" help:"Show locks."`
	Audit    auditCmd    `cmd:"" group:"oversight" help:"Read the records of calls to the control plane."`

	Resources resourcesCmd `cmd:"" group:"setup" help:"Manage the inventory."`
	Policy    policyCmd    `cmd:"" group:"setup" help:"Manage policy revisions."`
	Edges     edgesCmd     `cmd:"" group:"setup" help:"Admit, show and remove edges."`

	Notifications notificationsCmd `cmd:"" group:"setup" help:"Show what was sent to receivers, and send it again."`

	Version versionCmd `cmd:"" group:"setup" help:"Print the version."`
}

// run parses args and runs the command they name.
func (a *app) run(ctx context.Context, args []string) error {
	var g grammar
	helped := false
	parser, err := kong.New(&g,
		kong.Name("writ"), kong.Description(about), kong.Writers(a.env.Stdout, a.env.Stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "access", Title: "Access"}, {Key: "approval", Title: "Approval"},
			{Key: "oversight", Title: "Oversight"}, {Key: "setup", Title: "Setup"}, {Key: "identity", Title: "Identity"},
		}),
	)
	if err != nil {
		return fmt.Errorf("build command line: %w", err)
	}
	parsed, err := parser.Parse(args)
	switch {
	case helped: // the help flag printed the help; what else was given does not matter
		return nil
	case err != nil:
		return misused("see `writ --help`, or --help after a command", "%w", err)
	}
	a.json = g.Output == "json"
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(a)
}

type versionCmd struct{}

// Help is shown below the usage.
func (versionCmd) Help() string { return examples("writ version", "writ version -o json") }

// Run prints the version.
func (versionCmd) Run(a *app) error {
	if a.json {
		return a.out.JSON(map[string]string{"version": version.String()})
	}
	return a.out.Printf("writ %s", version.String())
}

// examples is the part of a command's help that shows it in use.
func examples(lines ...string) string {
	text := "Examples:\n"
	for _, line := range lines {
		text += "\n    $ " + line
	}
	return text
}
