package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/awsconfig"
	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/wholefile"
)

// awsConfigError adds the next step.
func awsConfigError(err error) error {
	switch {
	case errors.Is(err, awsconfig.ErrChanged):
		return failed("run it again when nothing else writes that file", "%w", err)
	case errors.Is(err, awsconfig.ErrTaken):
		return failed("give another name with --profile", "%w", err)
	case errors.Is(err, awsconfig.ErrValue):
		return misused("use letters, digits, dots, dashes and underscores", "%w", err)
	case errors.Is(err, awsconfig.ErrFormat):
		return failed("put right what it says, or write another file with --config", "%w", err)
	}
	return err
}

type awsConfigFlag struct {
	Config string `placeholder:"FILE" help:"The file to change. Default: AWS_CONFIG_FILE, else ~/.aws/config."`
}

func (f awsConfigFlag) file(a *app) (string, error) {
	if f.Config != "" {
		return f.Config, nil
	}
	return a.awsConfigFile()
}

type awsLoginCmd struct {
	Resource string `arg:"" help:"The account, a resource's name."`
	Profile  string `placeholder:"NAME" help:"The profile's name. Default: writ- and the resource."`
	Region   string `placeholder:"REGION" help:"The profile's region. Default: as it was."`

	awsAccessFlags `embed:""`
	awsConfigFlag  `embed:""`
}

// Help is shown below the usage.
func (awsLoginCmd) Help() string {
	return "The profile holds no secret: AWS's tools run `writ aws credentials` for keys whenever they need some, as long as you hold a grant for the " +
		"account. A profile cannot name a proxy, so HTTPS_PROXY has to be set for the tool besides, and for it alone: the edge reaches nothing " +
		"but AWS. `writ aws exec` sets all that is needed for one program.\n\n" + endpointHelp + "\n\n" +
		examples("writ aws login prod --region eu-west-1", "writ aws login prod --profile shop", "writ aws login prod --endpoint",
			"writ aws login prod --config ./aws-config -o json")
}

// awsLogin is the JSON form of the command's output.
type awsLogin struct {
	Config      string            `json:"config"`
	Profile     string            `json:"profile"`
	Environment map[string]string `json:"environment"` // what has to be set besides
	CABundle    string            `json:"ca_bundle,omitempty"`
	EndpointURL string            `json:"endpoint_url,omitempty"`
	Grant       string            `json:"grant"`
	ExpiresAt   string            `json:"expires_at"`
}

// Run writes the profile.
func (c *awsLoginCmd) Run(ctx context.Context, a *app) error {
	account, err := c.account(ctx, a, c.Resource)
	if err != nil {
		return err
	}
	file, err := c.file(a)
	if err != nil {
		return err
	}
	profile, err := c.write(a, account.server, file, account.way)
	if err != nil {
		return awsConfigError(err)
	}
	grant, _ := account.source.about()
	done := awsLogin{
		Config: file, Profile: profile.Name, Environment: map[string]string{}, CABundle: profile.CABundle, EndpointURL: profile.Endpoint,
		Grant: grant.GetId(), ExpiresAt: output.Time(grant.GetExpiresAt()),
	}
	before := ""
	if !account.way.endpoint {
		done.Environment["HTTPS_PROXY"] = account.way.url()
		before = "HTTPS_PROXY=" + account.way.url() + " "
	}
	if a.json {
		return a.out.JSON(done)
	}
	a.note("%s until %s; try: %saws --profile %s sts get-caller-identity", grant.GetId(), output.Moment(a.env.Now(), grant.GetExpiresAt()), before, profile.Name)
	return a.out.Printf("profile %s in %s", profile.Name, file)
}

// write puts the profile into the file, and the CA beside it.
func (c *awsLoginCmd) write(a *app, server, file string, way awsWay) (awsconfig.Profile, error) {
	p := awsconfig.Profile{Name: c.Profile, Region: c.Region}
	if p.Name == "" {
		p.Name = awsconfig.Name(c.Resource)
	}
	more := []string{"--server", server}
	if c.Grant != "" {
		more = append(more, "--grant", c.Grant)
	}
	if way.endpoint {
		p.Endpoint = way.url()
	} else {
		more = append(more, "--edge", way.edge)
	}
	p.Process = awsconfig.Process(c.Resource, more...)
	if err := c.notKeys(a, p.Name); err != nil {
		return p, err
	}
	var err error
	if !way.endpoint {
		if p.CABundle, err = caBundle(file, p.Name); err != nil {
			return p, err
		}
	}
	return p, awsconfig.Edit(file, func(f *awsconfig.File) error {
		if err := f.Put(p); err != nil || p.CABundle == "" {
			return err
		}
		if err := wholefile.Write(p.CABundle, way.ca); err != nil {
			return fmt.Errorf("write CA bundle: %w", err)
		}
		return nil
	})
}

// notKeys refuses a profile whose keys stand in the credentials file: those would go before the program's.
func (c *awsLoginCmd) notKeys(a *app, profile string) error {
	name, err := a.awsFile("AWS_SHARED_CREDENTIALS_FILE", "credentials")
	if err != nil {
		return nil // no home folder, no such file
	}
	keys, err := awsconfig.Load(name, true)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if keys.Has(profile) {
		return fmt.Errorf("%w: %q has keys in %s", awsconfig.ErrTaken, profile, name)
	}
	return nil
}

// caBundle is the file of a profile's CA, in a folder beside the config file.
func caBundle(config, profile string) (string, error) {
	if !awsconfig.ValidName.MatchString(profile) {
		return "", fmt.Errorf("%w: profile %q", awsconfig.ErrValue, profile)
	}
	path, err := filepath.Abs(config)
	if err != nil {
		return "", fmt.Errorf("find AWS config: %w", err)
	}
	return filepath.Join(filepath.Dir(path), "writ", profile+".pem"), nil
}

type awsLogoutCmd struct {
	Resource []string `arg:"" optional:"" help:"The accounts. Default: all that writ aws login put there."`

	awsConfigFlag `embed:""`
}

// Help is shown below the usage.
func (awsLogoutCmd) Help() string {
	return "Grants and sessions go on; end them with `writ revoke`.\n\n" + examples("writ aws logout prod", "writ aws logout")
}

// awsLogout is the JSON form of the command's output.
type awsLogout struct {
	Config   string   `json:"config"`
	Profiles []string `json:"profiles"` // that are gone
}

// Run edits the file.
func (c *awsLogoutCmd) Run(a *app) error {
	file, err := c.file(a)
	if err != nil {
		return err
	}
	resources := c.Resource
	if len(resources) == 0 {
		resources = []string{""}
	}
	done := awsLogout{Config: file}
	err = awsconfig.Edit(file, func(f *awsconfig.File) error {
		done.Profiles = []string{}
		for _, r := range resources {
			done.Profiles = append(done.Profiles, f.Remove(r)...)
		}
		return nil
	})
	if err != nil {
		return awsConfigError(err)
	}
	for _, profile := range done.Profiles {
		if bundle, err := caBundle(file, profile); err == nil {
			_ = os.Remove(bundle)
		}
	}
	if a.json {
		return a.out.JSON(done)
	}
	if len(done.Profiles) == 0 {
		return a.out.Printf("nothing of writ's is in %s", file)
	}
	return a.out.Printf("took %s out of %s", strings.Join(done.Profiles, ", "), file)
}
