package convert

import (
	"github.com/writhq/writ/controlplane/internal/resources"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func awsAccount(a resources.AWS) *accessv1.AwsTarget {
	classes := make(map[string]*accessv1.FieldList, len(a.Classes))
	for class, members := range a.Classes {
		classes[class] = &accessv1.FieldList{Fields: clone(members)}
	}
	return &accessv1.AwsTarget{
		Account: a.Account, RoleArn: a.RoleARN, Partition: a.Partition, Regions: clone(a.Regions), Endpoint: a.Endpoint, Tls: targetTLS(a.TLS),
		Credential: accountCredential(a.Credential), Classes: classes, AllowLoopback: a.AllowLoopback, Detectors: clone(a.Detectors),
		ForeignBuckets: clone(a.ForeignBuckets), SearchedBuckets: clone(a.SearchedBuckets),
	}
}

func accountCredential(c resources.AccountCredential) *accessv1.AwsCredential {
	out := &accessv1.AwsCredential{}
	if s := c.AssumeRole; s != nil {
		out.Source = &accessv1.AwsCredential_AssumeRole{AssumeRole: &accessv1.AssumeRoleCredential{
			HubRoleArn: s.HubRoleARN, ExternalId: s.ExternalID, Region: s.Region, SessionDuration: Duration(s.SessionDuration), WholeRole: s.WholeRole,
			ReaderRoleArn: s.ReaderRoleARN,
		}}
	}
	return out
}

func fromAWSAccount(a *accessv1.AwsTarget) *resources.AWS {
	out := &resources.AWS{
		Account: a.GetAccount(), RoleARN: a.GetRoleArn(), Partition: a.GetPartition(), Regions: a.GetRegions(), Endpoint: a.GetEndpoint(),
		TLS: fromTLS(a.GetTls()), AllowLoopback: a.GetAllowLoopback(), Detectors: a.GetDetectors(),
		ForeignBuckets: a.GetForeignBuckets(), SearchedBuckets: a.GetSearchedBuckets(),
	}
	for class, members := range a.GetClasses() {
		if out.Classes == nil {
			out.Classes = map[string][]string{}
		}
		out.Classes[class] = members.GetFields()
	}
	if s := a.GetCredential().GetAssumeRole(); s != nil {
		out.Credential.AssumeRole = &resources.AssumeRole{
			HubRoleARN: s.GetHubRoleArn(), ExternalID: s.GetExternalId(), Region: s.GetRegion(),
			SessionDuration: FromDuration(s.GetSessionDuration()), WholeRole: s.GetWholeRole(),
			ReaderRoleARN: s.GetReaderRoleArn(),
		}
	}
	return out
}
