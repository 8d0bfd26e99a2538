package convert

import (
	"github.com/writhq/writ/controlplane/internal/resources"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// Resource is the message of a resource, without secrets.
func Resource(r resources.Resource) *accessv1.Resource {
	out := &accessv1.Resource{
		Name: r.Name, Labels: r.Labels, Edges: clone(r.Edges), Description: r.Description,
		Version: r.Version, UpdatedAt: Time(r.UpdatedAt),
	}
	switch {
	case r.Postgres != nil:
		out.Target = &accessv1.Resource_Postgres{Postgres: postgres(*r.Postgres)}
	case r.Kubernetes != nil:
		out.Target = &accessv1.Resource_Kubernetes{Kubernetes: kubernetes(*r.Kubernetes)}
	case r.AWS != nil:
		out.Target = &accessv1.Resource_Aws{Aws: awsAccount(*r.AWS)}
	}
	return out
}

// Resources converts a list.
func Resources(in []resources.Resource) []*accessv1.Resource { return all(in, Resource) }

func postgres(p resources.Postgres) *accessv1.PostgresTarget {
	classes := make(map[string]*accessv1.ColumnList, len(p.Classes))
	for class, columns := range p.Classes {
		classes[class] = &accessv1.ColumnList{Columns: clone(columns)}
	}
	return &accessv1.PostgresTarget{
		Endpoint: p.Endpoint, Database: p.Database, Tls: targetTLS(p.TLS),
		Credential: credential(p.Credential), Classes: classes, SafeFunctions: clone(p.SafeFunctions),
		AllowLoopback: p.AllowLoopback, Detectors: clone(p.Detectors),
	}
}

func targetTLS(t resources.TLS) *accessv1.TargetTLS {
	return &accessv1.TargetTLS{Mode: tlsModes[t.Mode], CaPem: t.CAPEM, ServerName: t.ServerName}
}

func fromTLS(t *accessv1.TargetTLS) resources.TLS {
	return resources.TLS{Mode: fromMode(t.GetMode()), CAPEM: t.GetCaPem(), ServerName: t.GetServerName()}
}

var tlsModes = map[resources.TLSMode]accessv1.TargetTLS_Mode{
	resources.VerifyFull: accessv1.TargetTLS_MODE_VERIFY_FULL,
	resources.VerifyCA:   accessv1.TargetTLS_MODE_VERIFY_CA,
	resources.Disable:    accessv1.TargetTLS_MODE_DISABLE,
}

func credential(c resources.Credential) *accessv1.PostgresCredential {
	out := &accessv1.PostgresCredential{}
	switch {
	case c.Static != nil:
		out.Source = &accessv1.PostgresCredential_Static{Static: &accessv1.StaticCredential{User: c.Static.User}}
	case c.Dynamic != nil:
		out.Source = &accessv1.PostgresCredential_Dynamic{Dynamic: &accessv1.DynamicRole{
			AdminUser: c.Dynamic.AdminUser, MemberOf: clone(c.Dynamic.MemberOf), ConnectionLimit: c.Dynamic.ConnectionLimit,
		}}
	case c.RDSIAM != nil:
		out.Source = &accessv1.PostgresCredential_RdsIam{RdsIam: &accessv1.RdsIam{
			User: c.RDSIAM.User, Region: c.RDSIAM.Region, RoleArn: c.RDSIAM.RoleARN, Refresh: Duration(c.RDSIAM.Refresh),
		}}
	}
	return out
}

// FromResource is what a message asks for, with its secrets. What the inventory fills in itself is left out.
func FromResource(r *accessv1.Resource) resources.Resource {
	out := resources.Resource{
		Name: r.GetName(), Labels: r.GetLabels(), Edges: r.GetEdges(), Description: r.GetDescription(),
	}
	if p := r.GetPostgres(); p != nil {
		out.Postgres = fromPostgres(p)
	}
	if k := r.GetKubernetes(); k != nil {
		out.Kubernetes = fromKubernetes(k)
	}
	if a := r.GetAws(); a != nil {
		out.AWS = fromAWSAccount(a)
	}
	return out
}

func fromPostgres(p *accessv1.PostgresTarget) *resources.Postgres {
	out := &resources.Postgres{
		Endpoint: p.GetEndpoint(), Database: p.GetDatabase(), TLS: fromTLS(p.GetTls()), Credential: fromCredential(p.GetCredential()),
		SafeFunctions: p.GetSafeFunctions(), AllowLoopback: p.GetAllowLoopback(), Detectors: p.GetDetectors(),
	}
	for class, columns := range p.GetClasses() {
		if out.Classes == nil {
			out.Classes = map[string][]string{}
		}
		out.Classes[class] = columns.GetColumns()
	}
	return out
}

// fromMode turns a mode that is not known into one that the inventory refuses.
func fromMode(m accessv1.TargetTLS_Mode) resources.TLSMode {
	switch m {
	case accessv1.TargetTLS_MODE_UNSPECIFIED, accessv1.TargetTLS_MODE_VERIFY_FULL:
		return resources.VerifyFull
	case accessv1.TargetTLS_MODE_VERIFY_CA:
		return resources.VerifyCA
	case accessv1.TargetTLS_MODE_DISABLE:
		return resources.Disable
	}
	return resources.TLSMode(m.String())
}

func fromCredential(c *accessv1.PostgresCredential) resources.Credential {
	var out resources.Credential
	if s := c.GetStatic(); s != nil {
		out.Static = &resources.Static{User: s.GetUser(), Password: resources.Secret(s.GetPassword())}
	}
	if d := c.GetDynamic(); d != nil {
		out.Dynamic = &resources.Dynamic{
			AdminUser: d.GetAdminUser(), AdminPassword: resources.Secret(d.GetAdminPassword()),
			MemberOf: d.GetMemberOf(), ConnectionLimit: d.GetConnectionLimit(),
		}
	}
	if i := c.GetRdsIam(); i != nil {
		out.RDSIAM = &resources.RDSIAM{
			User: i.GetUser(), Region: i.GetRegion(), RoleARN: i.GetRoleArn(), Refresh: FromDuration(i.GetRefresh()),
		}
	}
	return out
}

// Changes is the message form of what Apply did.
func Changes(in []resources.Change) []*accessv1.ApplyResourcesResponse_Result {
	return all(in, func(c resources.Change) *accessv1.ApplyResourcesResponse_Result {
		return &accessv1.ApplyResourcesResponse_Result{Name: c.Name, Change: c.What}
	})
}
