package convert

import (
	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/pkg/iampolicy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// RoleSummary is the message of what was known of a role without its statements, nil for none.
func RoleSummary(s *approvals.RoleSeen) *accessv1.RoleAnalysis {
	if s == nil {
		return nil
	}
	return &accessv1.RoleAnalysis{
		RoleArn: s.ARN, Known: s.Analysis != "", Problem: string(s.Problem), Privileged: s.Privileged(), ActionCount: int32(s.Actions), Digest: s.Analysis,
	}
}

// Role is the message of what is known of a role.
func Role(f roles.Facts) *accessv1.RoleAnalysis {
	out := &accessv1.RoleAnalysis{RoleArn: f.RoleARN, Problem: string(f.Problem), Privileged: true, ReadAt: Time(f.ReadAt)}
	if f.Analysis != nil {
		FillRole(out, *f.Analysis)
	}
	return out
}

// FillRole puts an analysis into the message of its role.
func FillRole(out *accessv1.RoleAnalysis, a roles.Analysis) {
	out.Known, out.Privileged, out.ActionCount, out.Digest = true, a.Privileged(), int32(len(a.Actions)), a.Digest
	out.Actions, out.Boundary = clone(a.Actions), a.Boundary()
	out.Statements, out.Policies = all(a.Statements, roleStatement), all(a.Policies, rolePolicy)
}

func roleStatement(s roles.Statement) *accessv1.RoleStatement {
	return &accessv1.RoleStatement{
		Use: s.Use, Policy: s.Policy, PolicyArn: s.ARN, Version: s.Version, Sid: s.Sid, Index: int32(s.Index), Conditional: s.Conditional,
		AllResources: s.AllResources, Resources: clone(s.Resources), NotResources: clone(s.NotResources), Actions: all(s.Actions, classActions), Text: s.Text,
	}
}

func classActions(c roles.ClassActions) *accessv1.PrivilegedActions {
	return &accessv1.PrivilegedActions{Class: string(c.Class), Meaning: c.Class.Meaning(), Actions: clone(c.Actions)}
}

func rolePolicy(s iampolicy.Seen) *accessv1.RolePolicy {
	return &accessv1.RolePolicy{Use: s.Use, Name: s.Name, Arn: s.ARN, Version: s.Version, Sha256: s.SHA256}
}
