package credentials_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/test/rdstest"
)

const (
	rdsEndpoint = "orders.cluster-abc.eu-west-1.rds.amazonaws.com:5432"
	rdsRole     = "arn:aws:iam::111122223333:role/orders-db"
)

// rdsKeys is the role of the database, whose keys end at some time.
type rdsKeys struct {
	fakeAWS
	expires time.Time
}

func (k *rdsKeys) Credentials(context.Context, string, string) (aws.CredentialsProvider, error) {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "ASIARDS", SecretAccessKey: "topsecret", SessionToken: "a+session/token=", CanExpire: true, Expires: k.expires}, nil
	}), nil
}

func rdsKey(id string) (rdstest.Key, bool) {
	return rdstest.Key{Secret: "topsecret", SessionToken: "a+session/token="}, id == "ASIARDS"
}

// mintRDS signs in at a database under keys that are good for so long.
func mintRDS(t *testing.T, keys time.Duration) credentials.Credential {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DataDir: t.TempDir() + "/etcd"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b, err := credentials.New(credentials.Config{
		Store: s, Secrets: secrets{}, AWS: &rdsKeys{expires: time.Now().Add(keys)}, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := resource("orders-db", resources.Credential{RDSIAM: &resources.RDSIAM{User: "orders_app", Region: "eu-west-1", RoleARN: rdsRole}})
	r.Postgres.Endpoint = rdsEndpoint
	_, cred, err := b.Mint(t.Context(), r, ask(time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// TestRDSTakesTheToken asks what checks tokens as RDS does.
func TestRDSTakesTheToken(t *testing.T) {
	cred := mintRDS(t, time.Hour)
	token := string(cred.Password)
	right := rdstest.Checker{Endpoint: rdsEndpoint, Region: "eu-west-1", Keys: rdsKey, Now: time.Now}
	if err := right.Check(cred.User, token); err != nil || cred.User != "orders_app" {
		t.Fatalf("%s: %v", cred.User, err)
	}
	later := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	for name, c := range map[string]struct {
		endpoint, region, user, token string
		keys                          func(string) (rdstest.Key, bool)
		now                           func() time.Time
		want                          bool
	}{
		"at the end":       {now: later(rdstest.Lifetime - 10*time.Second), want: true},
		"after the end":    {now: later(rdstest.Lifetime + time.Second)},
		"another instance": {endpoint: "billing.cluster-abc.eu-west-1.rds.amazonaws.com:5432"},
		"another port":     {endpoint: strings.Replace(rdsEndpoint, "5432", "3306", 1)},
		"another region":   {region: "eu-central-1"},
		"another user":     {user: "postgres"},
		"user changed":     {user: "postgres", token: strings.Replace(token, "DBUser=orders_app", "DBUser=postgres", 1)},
		"a second user":    {token: token + "&DBUser=postgres"},
		"a longer life":    {token: strings.Replace(token, "Expires=900", "Expires=899", 1)},
		"a signature of another": {keys: func(string) (rdstest.Key, bool) {
			return rdstest.Key{Secret: "other", SessionToken: "a+session/token="}, true
		}},
		"another session": {keys: func(string) (rdstest.Key, bool) { return rdstest.Key{Secret: "topsecret", SessionToken: "other"}, true }},
		"an unknown key":  {keys: func(string) (rdstest.Key, bool) { return rdstest.Key{}, false }},
		"a password":      {token: "hunter2"},
		"nothing":         {token: " "},
	} {
		check, user, presented := right, cred.User, token
		if c.endpoint != "" {
			check.Endpoint = c.endpoint
		}
		if c.region != "" {
			check.Region = c.region
		}
		if c.keys != nil {
			check.Keys = c.keys
		}
		if c.now != nil {
			check.Now = c.now
		}
		if c.user != "" {
			user = c.user
		}
		if c.token != "" {
			presented = c.token
		}
		if err := check.Check(user, presented); (err == nil) != c.want || err != nil && !errors.Is(err, rdstest.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An RDS token is worth as much as the keys that signed it: it ends with them.
func TestRDSTokenEndsWithItsKeys(t *testing.T) {
	for keys, want := range map[time.Duration]time.Duration{time.Hour: rdstest.Lifetime, 5 * time.Minute: 5 * time.Minute} {
		if left := time.Until(mintRDS(t, keys).ExpiresAt); left > want || left < want-time.Minute {
			t.Errorf("keys for %s make a token for %s, want %s", keys, left, want)
		}
	}
}

// TestRDSTokenIsThatOfBotocore compares with what aws rds generate-db-auth-token says at the same instant, the signature included.
func TestRDSTokenIsThatOfBotocore(t *testing.T) {
	token, err := url.Parse("https://" + string(mintRDS(t, time.Hour).Password))
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("python3", "-c", "import botocore").Run(); err != nil {
		t.Skip("botocore is missing: pip install botocore")
	}
	out, err := exec.Command("python3", "-c", botocoreToken, token.Query().Get("X-Amz-Date")).CombinedOutput()
	theirs, parseErr := url.Parse("https://" + strings.TrimSpace(string(out)))
	if err != nil || parseErr != nil {
		t.Fatalf("%v %v: %s", err, parseErr, out)
	}
	if theirs.Host != token.Host || theirs.Query().Encode() != token.Query().Encode() || token.Query().Get("X-Amz-Signature") == "" {
		t.Errorf("botocore says\n%s\nand not\n%s", theirs, token)
	}
}

// botocoreToken is rds generate-db-auth-token at an instant.
const botocoreToken = `
import datetime, sys
import botocore.auth, botocore.session
instant = datetime.datetime.strptime(sys.argv[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
class clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return instant
    @classmethod
    def utcnow(cls): return instant.replace(tzinfo=None)
botocore.auth.datetime = type(sys)("datetime")
botocore.auth.datetime.__dict__.update(datetime.__dict__)
botocore.auth.datetime.datetime = clock
if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: instant.replace(tzinfo=None) if remove_tzinfo else instant
session = botocore.session.Session()
session.set_credentials("ASIARDS", "topsecret", "a+session/token=")
print(session.create_client("rds", region_name="eu-west-1").generate_db_auth_token("orders.cluster-abc.eu-west-1.rds.amazonaws.com", 5432, "orders_app"))
`
