package cli

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/awsconfig"
)

// awsEnviron makes the environment of a program that calls AWS through an edge.
type awsEnviron struct {
	way    awsWay
	server string // the control plane, which the program's own writ reaches without the edge
	region string // empty where none is known
}

// files writes what the program reads besides its variables, and returns the variables that name it. None of it is secret.
func (w awsWay) files(dir string) ([]string, error) {
	config, keys, ca := filepath.Join(dir, "config"), filepath.Join(dir, "credentials"), filepath.Join(dir, "ca.pem")
	text := "[default]\ns3 =\n    signature_version = s3v4\n"
	if w.endpoint {
		text += "    addressing_style = path\n"
	}
	vars := []string{"AWS_CONFIG_FILE=" + config, "AWS_SHARED_CREDENTIALS_FILE=" + keys}
	content := map[string]string{config: text, keys: ""}
	if !w.endpoint {
		content[ca] = string(w.ca)
		vars = append(vars, "AWS_CA_BUNDLE="+ca, "NODE_EXTRA_CA_CERTS="+ca)
	}
	for name, text := range content {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write for the program: %w", err)
		}
	}
	return vars, nil
}

// of is the environment with more put over it, without what would lead elsewhere and without writ's own tokens.
func (e awsEnviron) of(env Env, more ...[]string) []string {
	out := slices.DeleteFunc(slices.Clone(env.Environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(ownTokens, name) || astray(name) || !e.way.endpoint && strings.EqualFold(name, "HTTPS_PROXY")
	})
	out = append(out, "AWS_EC2_METADATA_DISABLED=true")
	if e.way.endpoint {
		out = append(out, "AWS_ENDPOINT_URL="+e.way.url())
	} else {
		out = append(out, "HTTPS_PROXY="+e.way.url(), "https_proxy="+e.way.url())
	}
	if e.region != "" {
		out = append(out, "AWS_REGION="+e.region, "AWS_DEFAULT_REGION="+e.region)
	}
	direct := strings.Join(e.direct(env), ",")
	return slices.Concat(append(out, "NO_PROXY="+direct, "no_proxy="+direct), slices.Concat(more...))
}

// strayed are variables of AWS's tools that choose other keys, other hosts or other ways to sign; those that end with _ are
// the beginnings of names.
var strayed = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_CREDENTIAL_FILE",
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_",
	"AWS_BEARER_TOKEN_", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_",
}

func astray(name string) bool {
	return slices.ContainsFunc(strayed, func(s string) bool {
		return name == s || strings.HasSuffix(s, "_") && strings.HasPrefix(name, s)
	}) || strings.EqualFold(name, "NO_PROXY")
}

// direct are the hosts that are reached without a proxy: those that were, but for AWS's; loopback, where the keys are; the control
// plane; and an edge that is the endpoint.
func (e awsEnviron) direct(env Env) []string {
	hosts := []string{"127.0.0.1", "localhost"}
	add := func(host string) {
		if host = strings.TrimSpace(host); host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if u, err := url.Parse(e.server); err == nil {
		add(u.Hostname())
	}
	if e.way.endpoint {
		add(hostOf(e.way.edge))
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		for host := range strings.SplitSeq(env.get(name), ",") {
			if e.way.endpoint || !ofAWS(strings.TrimSpace(host)) {
				add(host)
			}
		}
	}
	return hosts
}

// awsDomains are those below which AWS's hosts are.
var awsDomains = []string{"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "aws", "aws.dev", "amazon.com", "on.aws", "api.aws"}

// ofAWS says whether an entry of NO_PROXY may stand for a host of AWS.
func ofAWS(entry string) bool {
	if _, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return false
	}
	host, _, _ := strings.Cut(strings.ToLower(entry), ":")
	host = strings.Trim(host, "*.")
	return host == "" || slices.ContainsFunc(awsDomains, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain) || strings.HasSuffix(domain, host)
	})
}

// awsRegion is the region that is given, or else that of the environment, or of the config file. It may be empty.
func (a *app) awsRegion(given string) string {
	for _, region := range []string{given, a.env.get("AWS_REGION"), a.env.get("AWS_DEFAULT_REGION")} {
		if region != "" {
			return region
		}
	}
	name, err := a.awsConfigFile()
	if err != nil {
		return ""
	}
	file, err := awsconfig.Load(name, false)
	if err != nil {
		return ""
	}
	profile := a.env.get("AWS_PROFILE")
	if profile == "" {
		profile = "default"
	}
	return file.Get(profile, "region")
}

// awsConfigFile is the file that AWS's tools read.
func (a *app) awsConfigFile() (string, error) { return a.awsFile("AWS_CONFIG_FILE", "config") }

func (a *app) awsFile(variable, name string) (string, error) {
	if file := a.env.get(variable); file != "" {
		return file, nil
	}
	home := a.env.get("HOME")
	if home == "" {
		return "", misused("give --config", "there is no home folder for an AWS config file")
	}
	return filepath.Join(home, ".aws", name), nil
}
