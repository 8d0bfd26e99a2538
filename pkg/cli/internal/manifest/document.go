package manifest

import (
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// maxCA bounds a ca_file, in bytes.
const maxCA = 1 << 20

// postgres is a document of kind postgres.
type postgres struct {
	Kind          string              `yaml:"kind"`
	Name          string              `yaml:"name"`
	Description   string              `yaml:"description"`
	Labels        map[string]string   `yaml:"labels"`
	Edges         []string            `yaml:"edges"`
	Endpoint      string              `yaml:"endpoint"`
	Database      string              `yaml:"database"`
	AllowLoopback bool                `yaml:"allow_loopback"`
	TLS           targetTLS           `yaml:"tls"`
	Credential    credential          `yaml:"credential"`
	Classes       map[string][]string `yaml:"classes"`
	SafeFunctions []string            `yaml:"safe_functions"`
	Detectors     []string            `yaml:"detectors"`
}

type targetTLS struct {
	Mode       string `yaml:"mode"`
	CAFile     string `yaml:"ca_file"`
	ServerName string `yaml:"server_name"`
}

// credential has exactly one source.
type credential struct {
	Static  *staticCredential `yaml:"static"`
	Dynamic *dynamicRole      `yaml:"dynamic"`
	RdsIam  *rdsIam           `yaml:"rds_iam"`
}

type staticCredential struct {
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
	PasswordEnv  string `yaml:"password_env"`
}

type dynamicRole struct {
	AdminUser         string   `yaml:"admin_user"`
	AdminPasswordFile string   `yaml:"admin_password_file"`
	AdminPasswordEnv  string   `yaml:"admin_password_env"`
	MemberOf          []string `yaml:"member_of"`
	ConnectionLimit   int32    `yaml:"connection_limit"`
}

type rdsIam struct {
	User    string `yaml:"user"`
	Region  string `yaml:"region"`
	RoleARN string `yaml:"role_arn"`
}

var tlsModes = map[string]accessv1.TargetTLS_Mode{
	"":            accessv1.TargetTLS_MODE_VERIFY_FULL,
	"verify-full": accessv1.TargetTLS_MODE_VERIFY_FULL,
	"verify-ca":   accessv1.TargetTLS_MODE_VERIFY_CA,
	"disable":     accessv1.TargetTLS_MODE_DISABLE,
}

// document reads one YAML document by its kind.
func (s Source) document(body ast.Node) (*accessv1.Resource, error) {
	var head struct {
		Kind string `yaml:"kind"`
	}
	if err := yaml.NodeToValue(body, &head); err != nil {
		return nil, s.fault(err)
	}
	switch head.Kind {
	case "postgres":
		return read(s, body, s.postgres)
	case "kubernetes":
		return read(s, body, s.kubernetes)
	case "aws":
		return read(s, body, s.aws)
	case "":
		return nil, s.at(body, "the document has no kind")
	default:
		return nil, s.at(body, fmt.Sprintf("unknown kind %q; known are postgres, kubernetes and aws", head.Kind))
	}
}

// read reads a document of a known kind.
func read[D any](s Source, body ast.Node, resource func(D) (*accessv1.Resource, error)) (*accessv1.Resource, error) {
	var d D
	if err := yaml.NodeToValue(body, &d, yaml.Strict()); err != nil {
		return nil, s.fault(err)
	}
	res, err := resource(d)
	if err != nil {
		return nil, s.at(body, err.Error())
	}
	return res, nil
}

func (s Source) postgres(d postgres) (*accessv1.Resource, error) {
	switch {
	case d.Name == "":
		return nil, fmt.Errorf("the resource has no name")
	case d.Endpoint == "":
		return nil, fmt.Errorf("resource %s has no endpoint", d.Name)
	case d.Database == "":
		return nil, fmt.Errorf("resource %s has no database", d.Name)
	}
	target := &accessv1.PostgresTarget{
		Endpoint: d.Endpoint, Database: d.Database, AllowLoopback: d.AllowLoopback,
		SafeFunctions: d.SafeFunctions, Detectors: d.Detectors, Classes: map[string]*accessv1.ColumnList{},
	}
	for class, columns := range d.Classes {
		target.Classes[class] = &accessv1.ColumnList{Columns: columns}
	}
	var err error
	if target.Tls, err = s.tls(d.TLS); err != nil {
		return nil, fmt.Errorf("resource %s: tls: %w", d.Name, err)
	}
	if target.Credential, err = s.credential(d.Credential); err != nil {
		return nil, fmt.Errorf("resource %s: credential: %w", d.Name, err)
	}
	return &accessv1.Resource{
		Name: d.Name, Description: d.Description, Labels: d.Labels, Edges: d.Edges,
		Target: &accessv1.Resource_Postgres{Postgres: target},
	}, nil
}

func (s Source) tls(d targetTLS) (*accessv1.TargetTLS, error) {
	mode, ok := tlsModes[d.Mode]
	if !ok {
		return nil, fmt.Errorf("unknown mode %q; known are verify-full, verify-ca and disable", d.Mode)
	}
	out := &accessv1.TargetTLS{Mode: mode, ServerName: d.ServerName}
	if d.CAFile != "" {
		pem, err := s.file(d.CAFile, maxCA)
		if err != nil {
			return nil, fmt.Errorf("read ca_file: %w", err)
		}
		out.CaPem = string(pem)
	}
	return out, nil
}

func (s Source) credential(d credential) (*accessv1.PostgresCredential, error) {
	given := 0
	for _, there := range []bool{d.Static != nil, d.Dynamic != nil, d.RdsIam != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return nil, fmt.Errorf("needs exactly one of static, dynamic and rds_iam")
	}
	switch {
	case d.Static != nil:
		password, err := s.secret("password", d.Static.PasswordFile, d.Static.PasswordEnv)
		if err != nil {
			return nil, fmt.Errorf("static: %w", err)
		}
		return &accessv1.PostgresCredential{Source: &accessv1.PostgresCredential_Static{
			Static: &accessv1.StaticCredential{User: d.Static.User, Password: password},
		}}, nil
	case d.Dynamic != nil:
		password, err := s.secret("admin_password", d.Dynamic.AdminPasswordFile, d.Dynamic.AdminPasswordEnv)
		if err != nil {
			return nil, fmt.Errorf("dynamic: %w", err)
		}
		return &accessv1.PostgresCredential{Source: &accessv1.PostgresCredential_Dynamic{Dynamic: &accessv1.DynamicRole{
			AdminUser: d.Dynamic.AdminUser, AdminPassword: password,
			MemberOf: d.Dynamic.MemberOf, ConnectionLimit: d.Dynamic.ConnectionLimit,
		}}}, nil
	}
	return &accessv1.PostgresCredential{Source: &accessv1.PostgresCredential_RdsIam{
		RdsIam: &accessv1.RdsIam{User: d.RdsIam.User, Region: d.RdsIam.Region, RoleArn: d.RdsIam.RoleARN},
	}}, nil
}
