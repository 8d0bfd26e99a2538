package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
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

    kind: kubernetes
    name: shop-k8s
    edges: [edge-a]
    endpoint: 0123.gr7.eu-west-1.eks.amazonaws.com:443
    tls: {ca_file: ./cluster-ca.pem}
    credential:
      eks: {cluster: shop, region: eu-west-1, role_arn: "arn:aws:iam::123456789012:role/writ-shop"}
    classes:
      pii: ["configmaps:data.*"]

Here a credential is one of eks, service_account (token_file, token_env) and client_certificate (key_file, key_env).

    kind: aws
    name: prod
    edges: [edge-a]
    account: "123456789012"
    role_arn: arn:aws:iam::123456789012:role/writ-prod
    regions: [eu-west-1]
    credential:
      assume_role: {external_id: writ-prod}

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
			t.Add(r.GetName(), resourceKind(r), resourceEndpoint(r), pairs(r.GetLabels()),
				strings.Join(r.GetEdges(), ", "), oneLine(r.GetDescription()))
		}
		return a.out.Table("", t, "no resources")
	})
}

func resourceKind(r *accessv1.Resource) string {
	switch {
	case r.GetPostgres() != nil:
		return "postgres"
	case r.GetKubernetes() != nil:
		return "kubernetes"
	case r.GetAws() != nil:
		return "aws"
	}
	return "unknown"
}

// resourceEndpoint is where the target is; of an account whose calls go to AWS itself, the role there.
func resourceEndpoint(r *accessv1.Resource) string {
	if a := r.GetAws(); a != nil {
		return cmp.Or(a.GetEndpoint(), a.GetRoleArn())
	}
	return r.GetPostgres().GetEndpoint() + r.GetKubernetes().GetEndpoint()
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
	if c := r.GetKubernetes().GetCredential(); c != nil {
		if s := c.GetServiceAccount(); s != nil {
			s.Token = ""
		}
		if cc := c.GetClientCertificate(); cc != nil {
			cc.KeyPem = ""
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
	return a.show(r, func() error {
		if err := a.out.Fields(a.resourceFields(r)...); err != nil {
			return err
		}
		return showRole(a.out, r.GetAws().GetRole())
	})
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
