package iampolicy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// managedTruth says what each policy allows, worked out by reading it beside data/privileged.txt. An action stands for
// itself, service:* for all that the catalog has of the service, and * for the whole catalog; ? is only under
// conditions, ~ only for some resources, and a minus takes away.
var managedTruth = map[string]string{
	"AdministratorAccess":                     "*",
	"PowerUserAccess":                         "* -iam:* -organizations:* -account:*",
	"IAMFullAccess":                           "iam:*",
	"IAMReadOnlyAccess":                       "",
	"IAMUserChangePassword":                   "",
	"IAMUserSSHKeys":                          "iam:UpdateSSHPublicKey~ iam:UploadSSHPublicKey~",
	"IAMSelfManageServiceSpecificCredentials": "iam:CreateServiceSpecificCredential~ iam:UpdateServiceSpecificCredential~ iam:ResetServiceSpecificCredential~",
	"AmazonRDSFullAccess":                     "rds:*",
	"AmazonRDSDataFullAccess":                 "secretsmanager:GetSecretValue~ secretsmanager:PutResourcePolicy~ secretsmanager:DeleteSecret~ rds-data:ExecuteSql rds-data:ExecuteStatement rds-data:BatchExecuteStatement",
	"AWSLambda_FullAccess":                    "lambda:* iam:PassRole?",
	"AWSLambda_ReadOnlyAccess":                "",
	"AWSLambdaExecute":                        "logs:*~",
	"AmazonS3FullAccess":                      "s3:* s3-object-lambda:*",
	"AmazonS3ReadOnlyAccess":                  "",
	"AmazonEC2FullAccess":                     "ec2:* elasticloadbalancing:* cloudwatch:* autoscaling:*",
	"AmazonEC2ReadOnlyAccess":                 "",
	"AmazonEC2ContainerRegistryFullAccess":    "ecr:*",
	"AmazonSQSFullAccess":                     "sqs:*",
	"AmazonSNSFullAccess":                     "sns:*",
	"AWSKeyManagementServicePowerUser":        "",
	"SecretsManagerReadWrite":                 "secretsmanager:* cloudformation:ExecuteChangeSet lambda:AddPermission~ lambda:UpdateFunctionConfiguration~",
	"AmazonSSMFullAccess":                     "logs:* ssm:*",
	"AmazonSSMManagedInstanceCore":            "",
	"AmazonSSMAutomationRole":                 "ec2:DeregisterImage ec2:DeleteSnapshot ec2:TerminateInstances cloudformation:UpdateStack cloudformation:DeleteStack ssm:*",
	"CloudWatchFullAccess":                    "cloudwatch:* logs:* sns:*",
	"CloudWatchLogsFullAccess":                "logs:*",
	"AWSCloudTrail_FullAccess":                "sns:AddPermission~ sns:SetTopicAttributes~ s3:PutBucketPolicy~ s3:PutBucketPublicAccessBlock~ cloudtrail:* iam:PassRole?",
	"AWSCloudFormationFullAccess":             "cloudformation:*",
	"AmazonEKS_CNI_Policy":                    "",
	"AmazonECSTaskExecutionRolePolicy":        "",
	"AWSCodeDeployRoleForLambda":              "",
	"AWSOrganizationsFullAccess":              "organizations:*",
	"AmazonRoute53FullAccess":                 "route53:* route53domains:*",
	"AWSSecurityHubFullAccess":                "securityhub:* guardduty:UpdateDetector guardduty:DeleteDetector inspector2:Disable",
	"AmazonKinesisFullAccess":                 "kinesis:*",
	"AWSSupportAccess":                        "",
	"AWSDenyAll":                              "",
	"AWSCompromisedKeyQuarantineV2":           "",
	"AWSStepFunctionsFullAccess":              "states:*",
	"AWSCertificateManagerPrivateCAUser":      "acm-pca:IssueCertificate?~",
	"AWSResourceAccessManagerFullAccess":      "ram:*",
	"EC2InstanceConnect":                      "ec2-instance-connect:SendSSHPublicKey",
	"IAMCreateRootUserPassword":               "",
	"IAMDeleteRootUserCredentials":            "",
	"S3UnlockBucketPolicy":                    "",
	"SQSUnlockQueuePolicy":                    "",
	"AmazonRedshiftDataFullAccess":            "redshift-data:BatchExecuteStatement redshift-data:ExecuteStatement secretsmanager:GetSecretValue?~ redshift:GetClusterCredentials~ redshift:GetClusterCredentialsWithIAM~ redshift-serverless:GetCredentials?~",
	"AWSLakeFormationDataAdmin":               "lakeformation:* -lakeformation:PutDataLakeSettings glue:DeleteCatalog glue:DeleteDatabase glue:DeleteTable",
	"AmazonGlacierFullAccess":                 "glacier:*",
	"AmazonSecurityLakePermissionsBoundary":   "",
}

func TestManagedPolicies(t *testing.T) {
	if len(managedTruth) != 50 {
		t.Fatalf("%d policies", len(managedTruth))
	}
	for name, truth := range managedTruth {
		t.Run(name, func(t *testing.T) {
			expect(t, Role{ARN: testRole, Attached: []Document{managed(t, name)}}, truth)
		})
	}
}

// What several policies make of each other, worked out in the same way.
func TestManagedPoliciesTogether(t *testing.T) {
	for _, c := range []struct {
		attached, boundary, organization string
		truth                            string
	}{
		{attached: "AdministratorAccess AWSDenyAll"},
		{attached: "AdministratorAccess AWSCompromisedKeyQuarantineV2", truth: `*
			-iam:AddUserToGroup -iam:AttachGroupPolicy -iam:AttachRolePolicy -iam:AttachUserPolicy -iam:CreateAccessKey -iam:CreateLoginProfile
			-iam:CreatePolicyVersion -iam:CreateRole -iam:CreateUser -iam:DetachUserPolicy -iam:PassRole -iam:PutGroupPolicy -iam:PutRolePolicy
			-iam:PutUserPermissionsBoundary -iam:PutUserPolicy -iam:SetDefaultPolicyVersion -iam:UpdateAccessKey -iam:UpdateAccountPasswordPolicy
			-iam:UpdateAssumeRolePolicy -iam:UpdateLoginProfile -iam:UpdateUser -iam:DeleteRole
			-lambda:AddLayerVersionPermission -lambda:AddPermission -lambda:UpdateFunctionCode
			-lightsail:* lightsail:GetRelationalDatabaseMasterUserPassword lightsail:OpenInstancePublicPorts lightsail:PutInstancePublicPorts
			-organizations:CreateAccount -organizations:InviteAccountToOrganization -s3:DeleteBucket -s3:DeleteObjectVersion
			-s3:PutLifecycleConfiguration -s3:PutBucketAcl -s3:PutBucketOwnershipControls -s3:DeleteBucketPolicy
			-s3:ObjectOwnerOverrideToBucketOwner -s3:PutAccountPublicAccessBlock -s3:PutBucketPolicy -sts:GetFederationToken`},
		{attached: "AdministratorAccess IAMCreateRootUserPassword", truth: "iam:CreateLoginProfile"},
		{attached: "AdministratorAccess IAMDeleteRootUserCredentials", truth: "iam:DeactivateMFADevice"},
		{attached: "AdministratorAccess S3UnlockBucketPolicy", truth: "s3:DeleteBucketPolicy s3:PutBucketPolicy"},
		{attached: "AdministratorAccess SQSUnlockQueuePolicy", truth: "sqs:SetQueueAttributes"},
		{attached: "AdministratorAccess AWSCertificateManagerPrivateCAUser", truth: "*"},
		{attached: "AmazonS3FullAccess AmazonSecurityLakePermissionsBoundary"},
		{attached: "AdministratorAccess", boundary: "AmazonSecurityLakePermissionsBoundary"},
		{attached: "IAMFullAccess", boundary: "PowerUserAccess"},
		{attached: "PowerUserAccess", boundary: "AmazonS3FullAccess", truth: "s3:* s3-object-lambda:*"},
		{attached: "AdministratorAccess", boundary: "AWSLambda_FullAccess", truth: "lambda:* iam:PassRole?"},
		{attached: "AWSLambda_FullAccess", boundary: "AdministratorAccess", truth: "lambda:* iam:PassRole?"},
		{attached: "IAMFullAccess", boundary: "IAMUserSSHKeys", truth: "iam:UpdateSSHPublicKey~ iam:UploadSSHPublicKey~"},
		{attached: "AdministratorAccess", boundary: "AdministratorAccess", organization: "AdministratorAccess AmazonSQSFullAccess", truth: "sqs:*"},
		{attached: "AdministratorAccess", organization: "PowerUserAccess IAMFullAccess"},
		{attached: "AmazonSQSFullAccess", organization: "AWSDenyAll"},
		{attached: "AWSLambda_FullAccess AdministratorAccess", truth: "*"},
	} {
		t.Run(c.attached+"/"+c.boundary+"/"+c.organization, func(t *testing.T) {
			r := Role{ARN: testRole}
			for name := range strings.FieldsSeq(c.attached) {
				r.Attached = append(r.Attached, managed(t, name))
			}
			if c.boundary != "" {
				d := managed(t, c.boundary)
				r.Boundary = &d
			}
			for name := range strings.FieldsSeq(c.organization) {
				r.ServiceControl = append(r.ServiceControl, []Document{managed(t, name)})
			}
			expect(t, r, c.truth)
		})
	}
}

const testRole = "arn:aws:iam::123456789012:role/tested"

func managed(t testing.TB, name string) Document {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join("testdata", "managed", name+"@*.json"))
	if len(files) != 1 {
		t.Fatalf("files of %s: %v", name, files)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(strings.TrimSuffix(files[0], ".json"), "@")
	return Document{Name: name, ARN: "arn:aws:iam::aws:policy/" + name, Version: version, Policy: p}
}

// expect compares an analysis with a line of the table.
func expect(t *testing.T, r Role, truth string) {
	t.Helper()
	catalog := Default()
	a, err := Analyse(r, catalog)
	if err != nil {
		t.Fatal(err)
	}
	want := expand(truth)
	for _, p := range a.Privileges {
		got := "+"
		if p.Verdict == Conditional {
			got += "?"
		}
		if !p.AllResources {
			got += "~"
		}
		if want[p.Action] != got {
			t.Errorf("%s: found %q, truth is %q", p.Action, got, want[p.Action])
		}
		if c, ok := catalog.Find(p.Action); !ok || c != p.Class || len(p.Because) == 0 {
			t.Errorf("%s is %s because of %v", p.Action, p.Class, p.Because)
		}
		delete(want, p.Action)
	}
	for action, how := range want {
		t.Errorf("%s: not found, truth is %q", action, how)
	}
	if a.Privileged() != (len(a.Privileges) > 0) {
		t.Error("privileged", a.Privileged())
	}
}

// expand writes a line of the table out: + and its marks for each action.
func expand(truth string) map[string]string {
	want := map[string]string{}
	names := catalogNames()
	for word := range strings.FieldsSeq(truth) {
		action, minus := strings.CutPrefix(word, "-")
		action = strings.TrimRight(action, "?~")
		marks := word[len(word)-(len(strings.TrimPrefix(word, "-"))-len(action)):]
		for _, name := range names {
			service, _, _ := strings.Cut(name, ":")
			if action != "*" && action != service+":*" && action != name {
				continue
			}
			if minus {
				delete(want, name)
			} else {
				want[name] = "+" + marks
			}
		}
	}
	return want
}

// catalogNames reads the embedded list again, line by line.
func catalogNames() []string {
	var names []string
	for line := range strings.Lines(privileged) {
		if service, actions, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "#") {
			for a := range strings.FieldsSeq(actions) {
				names = append(names, service+":"+a)
			}
		}
	}
	return names
}

func TestCatalogIsWhole(t *testing.T) {
	names := catalogNames()
	slices.Sort(names)
	if c := Default(); c.Len() != len(slices.Compact(names)) || c.Len() < 700 {
		t.Errorf("%d entries of %d", c.Len(), len(names))
	}
	for _, class := range []Class{Permissions, Pass, Credentials, Execution, Sharing, Destruction, Guardrails, Network} {
		if len(Default().Actions(class)) == 0 || class.Meaning() == "" {
			t.Errorf("nothing in %s", class)
		}
	}
	var total int
	for class := range classMeaning {
		total += len(Default().Actions(class))
	}
	if total != Default().Len() {
		t.Errorf("%d actions have a known class", total)
	}
	for _, name := range []string{"iam:PassRole", "RDS:deletedbinstance"} {
		if _, ok := Default().Find(name); !ok {
			t.Errorf("%s is not privileged", name)
		}
	}
	if c, ok := Default().Find("s3:GetObject"); ok {
		t.Error("s3:GetObject is privileged:", c)
	}
}

func BenchmarkAnalyse(b *testing.B) {
	c := Default()
	var roles []Role
	for name := range managedTruth {
		roles = append(roles, Role{ARN: testRole, Attached: []Document{managed(b, name)}})
	}
	b.ReportMetric(float64(len(roles)), "policies/op")
	for b.Loop() {
		for _, r := range roles {
			if _, err := Analyse(r, c); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// All policies that AWS publishes: WRIT_MANAGED_POLICIES is a folder with a document in each file.
func BenchmarkAnalyseAllManaged(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("WRIT_MANAGED_POLICIES"), "*.json"))
	if os.Getenv("WRIT_MANAGED_POLICIES") == "" || len(files) == 0 {
		b.Skip("WRIT_MANAGED_POLICIES names no folder of documents")
	}
	var roles []Role
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		p, err := Parse(raw)
		if err != nil {
			b.Fatal(fmt.Errorf("%s: %w", f, err))
		}
		roles = append(roles, Role{ARN: testRole, Inline: []Document{{Name: f, Policy: p}}})
	}
	c := Default()
	for b.Loop() {
		for _, r := range roles {
			if _, err := Analyse(r, c); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(roles)), "µs/policy")
}
