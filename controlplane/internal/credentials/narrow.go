package credentials

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/pkg/iampolicy"
	"github.com/writhq/writ/pkg/policy"
)

// minting gives out credentials of STS or IAM: those would go on when the session has ended, past every decision.
var minting = []string{
	"sts:AssumeRole*", "sts:AssumeRoot", "sts:GetFederationToken", "sts:GetSessionToken", "sts:GetWebIdentityToken", "sts:GetDelegatedAccessToken",
	"sts:GetServiceBearerToken", "iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile",
	"iam:CreateServiceSpecificCredential", "iam:ResetServiceSpecificCredential", "iam:UpdateServiceSpecificCredential",
	"iam:UploadSSHPublicKey", "iam:UpdateSSHPublicKey", "iam:UploadSigningCertificate", "iam:UpdateSigningCertificate",
}

// mintingElsewhere is what remains of minting where iam's changes are denied already.
var mintingElsewhere = slices.DeleteFunc(slices.Clone(minting), func(a string) bool { return strings.HasPrefix(a, "iam:") })

// administering changes in IAM what others may do, or hands on a role. A grant without permissions and pass_role has no use for it.
const administering = "iam: At* CreateP* DeleteAccountP* DeleteGroupP* DeleteP* DeleteRoleP* DeleteUserP* Det* Pa* PutG* PutR* PutU* SetD* UpdateAs*"

// changing are patterns for all actions of a service but those that read or list, and those that AWS asks for when something is read: the
// use of KMS keys, and functions behind an access point of S3. Services come in the order in which there should be room for them.
var changing = []string{
	"iam: A* C* D* E* P* R* Se* T* U*",
	"s3: Ab* As* B* C* Del* Di* I* O* P* R* S* T* U*",
	"lambda: A* C* D* E* P* R* S* T* U*",
	"rds: A* B* C* Del* Der* Di* E* F* M* P* R* S*",
	"ec2: A* B* C* Del* Dep* Der* Det* Di* En* ExportI* ExportT* I* Lo* M* P* R* Sen* StartI* StartN* StartV* Sto* T* U* W*",
	"kms: Ca* Co* CreateA* CreateC* CreateK* Del* Di* Ena* I* P* Rep* Rev* Ro* Sc* Sy* T* U*",
	"secretsmanager: C* Del* P* R* S* T* U* V*",
	"ssm: A* C* Del* Der* Di* La* M* PutCa* PutCom* PutI* PutP* PutR* R* Se* StartA* StartC* StartS* Sto* T* U*",
	"eks: Act* As* C* Del* Der* Di* M* R* S* T* U*",
	"sqs: A* C* D* P* Rem* S* T* U*",
	"sns: A* Co* Cr* D* O* P* R* S* T* U* V*",
	"route53: A* C* D* E* U*",
	"dynamodb: A* BatchW* Cr* Del* Di* E* I* PartiQLD* PartiQLI* PartiQLU* Pu* Rep* Res* St* T* U* W*",
	"ecs: A* C* Del* Der* Di* E* P* R* S* T* U*",
	"logs: A* C* Del* Di* I* Lin* P* Ta* Unt* Up*",
	"cloudformation: A* C* Dea* Del* Der* Ex* I* P* R* S* T* U*",
	"cloudtrail: A* C* Del* Der* Di* E* GenerateQuery P* R* St* U*",
	"organizations: A* C* Dec* Del* Der* Det* Di* E* I* Le* M* P* R* T* U*",
}

// global are services that are in no region, or in one whatever the caller says.
var global = []string{
	"iam:*", "sts:*", "organizations:*", "account:*", "route53:*", "cloudfront:*", "globalaccelerator:*", "support:*", "health:*", "budgets:*", "ce:*",
}

// The actions of grants that read, and those of grants that change no permissions.
var (
	readers = []policy.Action{policy.AWSRead, policy.AWSList, policy.AWSGet, policy.AWSReveal}
	writers = append(slices.Clone(readers), policy.AWSWrite, policy.AWSChange, policy.AWSTag)
)

// only reports whether a grant is for some actions, and all of them are among these. One without actions is for all.
func only(actions []string, these []policy.Action) bool {
	return len(actions) > 0 && !slices.ContainsFunc(actions, func(a string) bool { return !slices.Contains(these, policy.Action(a)) })
}

// statement is one of a session policy.
type statement struct {
	Effect    string
	Action    []string                       `json:",omitempty"`
	NotAction []string                       `json:",omitempty"`
	Resource  string                         // always "*"
	Condition map[string]map[string][]string `json:",omitempty"`
}

var allowAll = statement{Effect: "Allow", Action: []string{"*"}, Resource: "*"}

func write(statements ...statement) string {
	text, _ := json.Marshal(struct {
		Version   string
		Statement []statement
	}{iampolicy.Version2012, statements}) // texts and lists of them can always be written
	return string(text)
}

// sessionPolicies are the policies that narrow a session to its grant, the narrowest first. AWS also packs policy and tags together,
// within a limit that it alone can work out: where one does not fit, the next is to be tried. The last has always fitted. None allows
// anything that it denies, and none denies what the edge lets through for the grant.
func sessionPolicies(account resources.AWS, actions []string) []string {
	deny := statement{Effect: "Deny", Action: minting, Resource: "*"}
	all := []string{write(allowAll, deny)}
	elsewhere, restricted := regions(account)
	if restricted {
		if p := write(allowAll, deny, elsewhere); len(p) <= iampolicy.MaxSessionPolicy {
			all = append(all, p)
		} else {
			restricted = false
		}
	}
	for _, most := range []int{easilyPacked, iampolicy.MaxSessionPolicy} {
		p, ok := byLevel(actions, func(denied []string) (string, bool) {
			narrower := deny
			narrower.Action = denied
			p := write(allowAll, narrower)
			if restricted {
				p = write(allowAll, narrower, elsewhere)
			}
			return p, len(p) <= most
		})
		if ok && p != all[len(all)-1] {
			all = append(all, p)
		}
	}
	slices.Reverse(all)
	return all
}

// easilyPacked is a size in characters that leaves room for tags, however AWS packs.
const easilyPacked = 1300

// byLevel denies what a grant has no use for, service by service for as long as it fits.
func byLevel(actions []string, narrow func(denied []string) (string, bool)) (narrowest string, ok bool) {
	switch {
	case only(actions, readers):
		denied := mintingElsewhere // what it leaves out is in the first of changing
		for _, service := range changing {
			denied = slices.Concat(denied, patterns(service))
			p, fits := narrow(denied)
			if !fits {
				break
			}
			narrowest, ok = p, true
		}
		return narrowest, ok
	case only(actions, writers):
		return narrow(slices.Concat(minting, patterns(administering)))
	}
	return "", false
}

// patterns reads "iam: A* C*" as iam:A* and iam:C*.
func patterns(text string) (all []string) {
	service, names, _ := strings.Cut(text, " ")
	for _, name := range strings.Fields(names) {
		all = append(all, service+name)
	}
	return all
}

// regions denies calls that go to other regions than the account's; what services call for the session in others goes on.
func regions(account resources.AWS) (s statement, restricted bool) {
	return statement{Effect: "Deny", NotAction: global, Resource: "*", Condition: map[string]map[string][]string{
		"StringNotEquals": {"aws:RequestedRegion": account.Regions}, "BoolIfExists": {"aws:ViaAWSService": {"false"}},
	}}, len(account.Regions) > 0
}
