package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/manifest"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type resourcesCmd struct {
	Apply  resourcesApplyCmd  `cmd:"" help:"Create or replace resources, all or none."`
	List   resourcesListCmd   `cmd:"" help:"List resources."`
	Show   resourcesShowCmd   `cmd:"" help:"Show one resource."`
	Delete resourcesDeleteCmd `cmd:"" help:"Delete a resource."`
}

type resourcesApplyCmd struct {
	File   []string `short:"f" sep:"none" required:"" placeholder:"FILE" help:"YAML manifest, - being standard input; repeat it for more."`
	DryRun bool     `help:"Say what would change, and change nothing."`
}

// Help is shown below the usage.
func (resourcesApplyCmd) Help() string {
	return `A manifest holds one or several documents:

    kind: postgres
    name: orders-db
    labels: {env: prod}
    edges: [edge-a]
    endpoint: 10.0.0.5:5432
    database: orders
    tls: {mode: verify-full, ca_file: ./rds-ca.pem}
    credential:
      static: {user: app, password_file: ./password}
    classes:
      pii: [public.customers.email]

A credential is one of static, dynamic and rds_iam; passwords come from a file or a variable (password_env).

` + examples("writ resources apply -f resources.yaml --dry-run", "writ resources apply -f - < resources.yaml")
}

// Run applies manifests.
func (c *resourcesApplyCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	req := &accessv1.ApplyResourcesRequest{DryRun: c.DryRun}
	for _, file := range c.File {
		found, err := a.manifest(file)
		if err != nil {
			return err
		}
		req.Resources = append(req.Resources, found...)
	}
	resp, err := clients.Resources.ApplyResources(ctx, req)
	if err != nil {
		return err
	}
	return a.show(resp, func() error {
		for _, r := range resp.GetResults() {
			line := "%s %s"
			if c.DryRun {
				line += " (dry run)"
			}
			if err := a.out.Printf(line, r.GetName(), r.GetChange()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) manifest(file string) ([]*accessv1.Resource, error) {
	if file == "-" {
		return manifest.Read(a.env.Stdin, manifest.Source{Name: "standard input", Dir: ".", Getenv: a.env.get})
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	defer f.Close()
	return manifest.Read(f, manifest.Source{Name: file, Dir: filepath.Dir(file), Getenv: a.env.get})
}

type resourcesListCmd struct{}

// Help is shown below the usage.
func (resourcesListCmd) Help() string { return examples("writ resources list") }

// Run lists resources.
func (resourcesListCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Resources.ListResources(ctx, &accessv1.ListResourcesRequest{})
	if err != nil {
		return err
	}
	for _, r := range resp.GetResources() {
		withoutSecrets(r)
	}
	return a.show(resp, func() error {
		t := output.NewTable("NAME", "KIND", "ENDPOINT~", "LABELS~", "EDGES~", "DESCRIPTION~")
		for _, r := range resp.GetResources() {
			t.Add(r.GetName(), resourceKind(r), r.GetPostgres().GetEndpoint(), pairs(r.GetLabels()),
				strings.Join(r.GetEdges(), ", "), oneLine(r.GetDescription()))
		}
		return a.out.Table("", t, "no resources")
	})
}

func resourceKind(r *accessv1.Resource) string {
	if r.GetPostgres() != nil {
		return "postgres"
	}
	return "unknown"
}

// withoutSecrets drops what is never to be read back, should it come all the same.
func withoutSecrets(r *accessv1.Resource) {
	if c := r.GetPostgres().GetCredential(); c != nil {
		if s := c.GetStatic(); s != nil {
			s.Password = ""
		}
		if d := c.GetDynamic(); d != nil {
			d.AdminPassword = ""
		}
	}
}

type resourcesShowCmd struct {
	Name string `arg:"" help:"The resource's name."`
}

// Help is shown below the usage.
func (resourcesShowCmd) Help() string { return examples("writ resources show orders-db") }

// Run shows one resource.
func (c *resourcesShowCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Resources.GetResource(ctx, &accessv1.GetResourceRequest{Name: c.Name})
	if err != nil {
		return err
	}
	r := resp.GetResource()
	withoutSecrets(r)
	return a.show(r, func() error { return a.out.Fields(a.resourceFields(r)...) })
}

func (a *app) resourceFields(r *accessv1.Resource) []output.Field {
	p := r.GetPostgres()
	fields := []output.Field{
		{Name: "resource", Value: r.GetName()},
		{Name: "kind", Value: resourceKind(r)},
		{Name: "description", Value: r.GetDescription()},
		{Name: "labels", Value: pairs(r.GetLabels())},
		{Name: "edges", Value: strings.Join(r.GetEdges(), ", ")},
		{Name: "endpoint", Value: p.GetEndpoint()},
		{Name: "database", Value: p.GetDatabase()},
		{Name: "tls", Value: tlsText(p.GetTls())},
		{Name: "credential", Value: credentialText(p.GetCredential())},
	}
	classes := p.GetClasses()
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		fields = append(fields, output.Field{Name: "class " + output.Line(class), Value: strings.Join(classes[class].GetColumns(), ", ")})
	}
	return append(fields, []output.Field{
		{Name: "safe functions", Value: strings.Join(p.GetSafeFunctions(), ", ")},
		{Name: "detectors", Value: strings.Join(p.GetDetectors(), ", ")},
		{Name: "version", Value: fmt.Sprint(r.GetVersion())},
		{Name: "updated", Value: output.Moment(a.env.Now(), r.GetUpdatedAt())},
	}...)
}

func tlsText(t *accessv1.TargetTLS) string {
	text := "verify-full"
	if t.GetMode() != accessv1.TargetTLS_MODE_UNSPECIFIED {
		text = strings.TrimPrefix(stateName(t.GetMode()), "mode-")
	}
	if t.GetServerName() != "" {
		text += " as " + t.GetServerName()
	}
	if t.GetCaPem() != "" {
		text += ", own CA"
	}
	return text
}

func credentialText(c *accessv1.PostgresCredential) string {
	switch {
	case c.GetStatic() != nil:
		return "static, user " + c.GetStatic().GetUser()
	case c.GetDynamic() != nil:
		d := c.GetDynamic()
		return "dynamic role, made by " + d.GetAdminUser() + ", member of " + strings.Join(d.GetMemberOf(), ", ")
	case c.GetRdsIam() != nil:
		i := c.GetRdsIam()
		return strings.Join(nonEmpty("rds iam", "user "+i.GetUser(), i.GetRegion(), i.GetRoleArn()), ", ")
	}
	return ""
}

type resourcesDeleteCmd struct {
	Name string `arg:"" help:"The resource's name."`
}

// Help is shown below the usage.
func (resourcesDeleteCmd) Help() string { return examples("writ resources delete orders-db") }

// Run deletes a resource.
func (c *resourcesDeleteCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Resources.DeleteResource(ctx, &accessv1.DeleteResourceRequest{Name: c.Name})
	if err != nil {
		return err
	}
	return a.say(resp, "deleted %s", c.Name)
}
