package kubetest

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/writhq/writ/test/mototest"
)

const (
	region = "us-east-1"
	role   = "arn:aws:iam::" + mototest.Account + ":role/gateway"
)

// eksToken is what a client of EKS makes when a session of the role signs for a cluster.
func eksToken(t *testing.T, moto *mototest.Server, session, cluster string) string {
	t.Helper()
	assumer := sts.New(sts.Options{
		Region: region, BaseEndpoint: aws.String(moto.URL), Credentials: credentials.NewStaticCredentialsProvider(moto.Key, moto.Secret, ""),
	})
	made, err := assumer.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String(session)})
	if err != nil {
		t.Fatal(err)
	}
	c := made.Credentials
	signer := sts.NewPresignClient(sts.New(sts.Options{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken),
	}))
	signed, err := signer.PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
			smithyhttp.AddHeaderValue("x-k8s-aws-id", cluster), smithyhttp.AddHeaderValue("X-Amz-Expires", "60"),
		))
	})
	if err != nil {
		t.Fatal(err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed.URL))
}

func TestEKSVerify(t *testing.T) {
	if _, err := binary(); err != nil {
		giveUp(t, err)
	}
	moto := mototest.Start(t)
	eks := EKS{Cluster: "production", Region: region, Moto: moto.URL}
	token := eksToken(t, moto, "session-1", "production")
	id, err := eks.Verify(t, token)
	if err != nil {
		t.Fatal(err)
	}
	if id.CanonicalARN != role || id.SessionName != "session-1" || id.ARN != "arn:aws:sts::"+mototest.Account+":assumed-role/gateway/session-1" {
		t.Errorf("%+v", id)
	}
	// changed gives the token with another URL in it.
	changed := func(change func(*url.URL)) string {
		text, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "k8s-aws-v1."))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(u.String()))
	}
	for name, bad := range map[string]string{
		"of another cluster": eksToken(t, moto, "session-1", "staging"),
		"of another host":    changed(func(u *url.URL) { u.Host = "sts.eu-west-1.amazonaws.com" }),
		"of another time":    changed(func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "X-Amz-Expires=60", "X-Amz-Expires=61", 1) }),
		"nothing":            "",
	} {
		t.Run(name, func(t *testing.T) {
			if id, err := eks.Verify(t, bad); !errors.Is(err, ErrEKSDenied) {
				t.Errorf("%+v, %v", id, err)
			}
		})
	}
}

// An API server knows a session of a role by its token, as on EKS.
func TestEKSWebhook(t *testing.T) {
	if _, err := binary(); err != nil {
		giveUp(t, err)
	}
	moto := mototest.Start(t)
	eks := EKS{Cluster: "production", Region: region, Moto: moto.URL, Roles: map[string][]string{role: {"writ:gateways"}}}
	l := Start(t, Config{TokenWebhook: eks.Webhook(t)})
	kubeconfig := l.TokenKubeconfig(t, eksToken(t, moto, "session-1", "production"))
	l.Kubectl(t, "auth", "whoami", "--kubeconfig", kubeconfig)
	events := l.Audit(t)
	i := slices.IndexFunc(events, func(e AuditEvent) bool { return e.ObjectRef.Resource == "selfsubjectreviews" })
	if i < 0 {
		t.Fatal(events)
	}
	user := events[i].User
	if user.Username != "arn:aws:sts::"+mototest.Account+":assumed-role/gateway/session-1" || !slices.Contains(user.Groups, "writ:gateways") {
		t.Errorf("%+v", user)
	}
	k, err := l.FindKubectl("")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := k.Command(t.Context(), l.TokenKubeconfig(t, eksToken(t, moto, "session-1", "staging")), "auth", "whoami").CombinedOutput(); err == nil {
		t.Errorf("a token of another cluster: %s", out)
	}
}
