package roles

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/pkg/iampolicy"
)

// How reading a role shows in CloudTrail.
const (
	readerSession = "writ-role-reader"
	readerSource  = "writ-controlplane"
	readerLasts   = 15 * time.Minute // the least that AWS gives
)

// readerPolicy is all that the session may do with which roles are read.
const readerPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GetRole","iam:ListAttachedRolePolicies",` +
	`"iam:GetPolicy","iam:GetPolicyVersion","iam:ListRolePolicies","iam:GetRolePolicy"],"Resource":"*"}]}`

// What is read of one role at most. AWS's own quotas are 25 attached policies, and 10,240 characters of inline ones.
const (
	maxPolicies = 100
	maxText     = 2 << 20 // bytes, of all documents
)

// AWS reaches AWS as the control plane.
type AWS interface {
	Config(ctx context.Context, region string) (aws.Config, error)
	AssumeRole(ctx context.Context, a credentials.Assumption) (aws.Credentials, error)
}

// IAM is a Reader that asks AWS.
type IAM struct{ aws AWS }

// NewIAM returns a Reader that reaches AWS by way of a.
func NewIAM(a AWS) IAM { return IAM{a} }

// Read implements Reader. It assumes the account's reader role, or the account's role itself, with a session policy that leaves it nothing
// but reading policies.
func (i IAM) Read(ctx context.Context, account resources.AWS) (iampolicy.Role, error) {
	client, err := i.client(ctx, account)
	if err != nil {
		return iampolicy.Role{}, classified(fmt.Errorf("assume reader: %w", err))
	}
	m := material{iam: client, role: iampolicy.Role{ARN: account.RoleARN}}
	if err := m.read(ctx); err != nil {
		return iampolicy.Role{}, classified(err)
	}
	return m.role, nil
}

func (i IAM) client(ctx context.Context, account resources.AWS) (*iam.Client, error) {
	source := account.Credential.AssumeRole
	if source == nil {
		return nil, fmt.Errorf("%w: the account has no role that could be assumed", ErrRefused)
	}
	region, as := account.STSRegion(), account.RoleARN
	if source.ReaderRoleARN != "" {
		as = source.ReaderRoleARN
	}
	keys, err := i.aws.AssumeRole(ctx, credentials.Assumption{
		Region: region, Hub: source.HubRoleARN, RoleARN: as, ExternalID: source.ExternalID, SessionName: readerSession,
		SourceIdentity: readerSource, Policy: readerPolicy, Duration: readerLasts,
	})
	if err != nil {
		return nil, err
	}
	cfg, err := i.aws.Config(ctx, region)
	if err != nil {
		return nil, err
	}
	cfg.Credentials = awscredentials.StaticCredentialsProvider{Value: keys}
	return iam.NewFromConfig(cfg), nil
}

// material is what is read of one role.
type material struct {
	iam             *iam.Client
	role            iampolicy.Role
	name            string
	documents, size int
}

func (m *material) read(ctx context.Context) error {
	_, path, _ := strings.Cut(m.role.ARN, ":role/")
	m.name = path[strings.LastIndexByte(path, '/')+1:]
	out, err := m.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &m.name})
	if err != nil {
		return fmt.Errorf("get role: %w", err)
	}
	if out.Role == nil || aws.ToString(out.Role.Arn) != m.role.ARN {
		return fmt.Errorf("%w: aws knows the role %s by another ARN", ErrUnclear, m.name)
	}
	if b := out.Role.PermissionsBoundary; b != nil {
		boundary, err := m.managed(ctx, aws.ToString(b.PermissionsBoundaryArn))
		if err != nil {
			return fmt.Errorf("read boundary: %w", err)
		}
		m.role.Boundary = &boundary
	}
	if err := m.attached(ctx); err != nil {
		return err
	}
	return m.inline(ctx)
}

func (m *material) attached(ctx context.Context) error {
	for pages := iam.NewListAttachedRolePoliciesPaginator(m.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &m.name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list attached policies: %w", err)
		}
		for _, p := range page.AttachedPolicies {
			d, err := m.managed(ctx, aws.ToString(p.PolicyArn))
			if err != nil {
				return fmt.Errorf("read policy %s: %w", aws.ToString(p.PolicyArn), err)
			}
			m.role.Attached = append(m.role.Attached, d)
		}
	}
	return nil
}

func (m *material) inline(ctx context.Context) error {
	for pages := iam.NewListRolePoliciesPaginator(m.iam, &iam.ListRolePoliciesInput{RoleName: &m.name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list inline policies: %w", err)
		}
		for _, name := range page.PolicyNames {
			out, err := m.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &m.name, PolicyName: &name})
			if err != nil {
				return fmt.Errorf("read policy %s: %w", name, err)
			}
			d := iampolicy.Document{Name: name}
			if d.Policy, err = m.parse(out.PolicyDocument); err != nil {
				return fmt.Errorf("policy %s: %w", name, err)
			}
			m.role.Inline = append(m.role.Inline, d)
		}
	}
	return nil
}

// managed reads the version of a managed policy that is in force.
func (m *material) managed(ctx context.Context, arn string) (iampolicy.Document, error) {
	got, err := m.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return iampolicy.Document{}, err
	}
	if got.Policy == nil || aws.ToString(got.Policy.DefaultVersionId) == "" {
		return iampolicy.Document{}, fmt.Errorf("%w: no version is in force", ErrUnclear)
	}
	version := got.Policy.DefaultVersionId
	out, err := m.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: version})
	if err != nil {
		return iampolicy.Document{}, err
	}
	if out.PolicyVersion == nil {
		return iampolicy.Document{}, fmt.Errorf("%w: its version %s is empty", ErrUnclear, *version)
	}
	d := iampolicy.Document{Name: aws.ToString(got.Policy.PolicyName), ARN: arn, Version: *version}
	d.Policy, err = m.parse(out.PolicyVersion.Document)
	return d, err
}

// parse reads a document within the limits of one role.
func (m *material) parse(document *string) (iampolicy.Policy, error) {
	m.documents++
	m.size += len(aws.ToString(document))
	if m.documents > maxPolicies || m.size > maxText {
		return iampolicy.Policy{}, fmt.Errorf("%w: over %d policies or %d bytes", ErrTooLarge, maxPolicies, maxText)
	}
	return iampolicy.Parse([]byte(aws.ToString(document)))
}

// classified says of an answer of AWS whether it was a refusal. What was throttled, or went wrong at AWS or on the way, was none.
func classified(err error) error {
	var api smithy.APIError
	var answer *smithyhttp.ResponseError
	switch {
	case !errors.As(err, &api), errors.As(err, &answer) && answer.HTTPStatusCode() >= http.StatusInternalServerError:
		return err
	case retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary:
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}
