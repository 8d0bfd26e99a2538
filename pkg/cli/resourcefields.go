package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func (a *app) resourceFields(r *accessv1.Resource) []output.Field {
	fields := []output.Field{
		{Name: "resource", Value: r.GetName()},
		{Name: "kind", Value: resourceKind(r)},
		{Name: "description", Value: r.GetDescription()},
		{Name: "labels", Value: pairs(r.GetLabels())},
		{Name: "edges", Value: strings.Join(r.GetEdges(), ", ")},
	}
	switch {
	case r.GetPostgres() != nil:
		fields = append(fields, databaseFields(r.GetPostgres())...)
	case r.GetKubernetes() != nil:
		fields = append(fields, clusterFields(r.GetKubernetes())...)
	case r.GetAws() != nil:
		fields = append(fields, accountFields(r.GetAws())...)
	}
	return append(fields, []output.Field{
		{Name: "version", Value: fmt.Sprint(r.GetVersion())},
		{Name: "updated", Value: output.Moment(a.env.Now(), r.GetUpdatedAt())},
	}...)
}

func databaseFields(p *accessv1.PostgresTarget) []output.Field {
	fields := []output.Field{
		{Name: "endpoint", Value: p.GetEndpoint()},
		{Name: "database", Value: p.GetDatabase()},
		{Name: "tls", Value: tlsText(p.GetTls())},
		{Name: "credential", Value: credentialText(p.GetCredential())},
	}
	fields = append(fields, classFields(p.GetClasses(), (*accessv1.ColumnList).GetColumns)...)
	return append(fields, []output.Field{
		{Name: "safe functions", Value: strings.Join(p.GetSafeFunctions(), ", ")},
		{Name: "detectors", Value: strings.Join(p.GetDetectors(), ", ")},
	}...)
}

func clusterFields(k *accessv1.KubernetesTarget) []output.Field {
	fields := []output.Field{
		{Name: "endpoint", Value: k.GetEndpoint()},
		{Name: "tls", Value: tlsText(k.GetTls())},
		{Name: "credential", Value: clusterCredentialText(k.GetCredential())},
		{Name: "impersonates", Value: strings.Join(k.GetGroups(), ", ")},
	}
	fields = append(fields, classFields(k.GetClasses(), (*accessv1.FieldList).GetFields)...)
	return append(fields, output.Field{Name: "detectors", Value: strings.Join(k.GetDetectors(), ", ")})
}

func accountFields(t *accessv1.AwsTarget) []output.Field {
	fields := []output.Field{
		{Name: "account", Value: t.GetAccount()},
		{Name: "role", Value: t.GetRoleArn()},
	}
	fields = append(fields, roleFields(t.GetRole())...)
	fields = append(fields, []output.Field{
		{Name: "regions", Value: cmp.Or(strings.Join(t.GetRegions(), ", "), "all")},
		{Name: "foreign buckets", Value: strings.Join(t.GetForeignBuckets(), ", ")},
		{Name: "searched buckets", Value: strings.Join(t.GetSearchedBuckets(), ", ")},
		{Name: "endpoint", Value: t.GetEndpoint()},
		{Name: "tls", Value: tlsText(t.GetTls())},
		{Name: "credential", Value: accountCredentialText(t.GetCredential())},
	}...)
	fields = append(fields, classFields(t.GetClasses(), (*accessv1.FieldList).GetFields)...)
	return append(fields, output.Field{Name: "detectors", Value: strings.Join(t.GetDetectors(), ", ")})
}

func accountCredentialText(c *accessv1.AwsCredential) string {
	s := c.GetAssumeRole()
	if s == nil {
		return ""
	}
	text := "role assumed for each session"
	if s.GetHubRoleArn() != "" {
		text += ", through " + s.GetHubRoleArn()
	}
	if s.GetSessionDuration().AsDuration() > 0 {
		text += ", keys for " + s.GetSessionDuration().AsDuration().String()
	}
	if s.GetWholeRole() {
		text += ", without a session policy"
	}
	if s.GetReaderRoleArn() != "" {
		text += ", its policies read by " + s.GetReaderRoleArn()
	}
	return text
}

// classFields is one field for each data class.
func classFields[L any](classes map[string]L, list func(L) []string) []output.Field {
	var fields []output.Field
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		fields = append(fields, output.Field{Name: "class " + output.Line(class), Value: strings.Join(list(classes[class]), ", ")})
	}
	return fields
}

func clusterCredentialText(c *accessv1.KubernetesCredential) string {
	switch {
	case c.GetEks() != nil:
		e := c.GetEks()
		return strings.Join(nonEmpty("eks", "cluster "+e.GetCluster(), e.GetRegion(), e.GetRoleArn()), ", ")
	case c.GetServiceAccount() != nil:
		s := c.GetServiceAccount()
		text := "tokens of the service account " + s.GetNamespace() + "/" + s.GetName()
		if len(s.GetAudiences()) > 0 {
			text += " for " + strings.Join(s.GetAudiences(), ", ")
		}
		return text
	case c.GetClientCertificate() != nil:
		return "client certificate"
	}
	return ""
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
