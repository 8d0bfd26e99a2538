package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/test/kubetest"
	"github.com/writhq/writ/test/mototest"
	"github.com/writhq/writ/test/pgtest"
	"github.com/writhq/writ/test/rdstest"
	"github.com/writhq/writ/test/world"
)

const rdsManifest = `
kind: postgres
name: %s
labels: {env: demo}
edges: [edge-a]
endpoint: %q
database: shop
allow_loopback: true
tls: {mode: verify-full, ca_file: %q}
credential:
  rds_iam: {user: orders_app, region: eu-west-1, role_arn: %q}
`

// database is a world with an RDS instance that takes tokens, in an account that moto stands for.
type database struct {
	*world.World
	t        *testing.T
	moto     *mototest.Server
	sts      *rdstest.STS
	instance *rdstest.Instance
	role     string
}

func newDatabase(t *testing.T) *database {
	d := &database{t: t, moto: mototest.Start(t)}
	d.role = d.moto.Role(t, "orders-db")
	d.sts = rdstest.Watch(t, d.moto.URL)
	d.World = world.Start(t, world.Config{ControlEnv: []string{
		"AWS_ENDPOINT_URL_STS=" + d.sts.URL, "AWS_ACCESS_KEY_ID=" + d.moto.Key, "AWS_SECRET_ACCESS_KEY=" + d.moto.Secret,
	}})
	super, err := d.PG.Connect(t.Context(), world.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close(t.Context())
	if _, err := super.Exec(t.Context(), "CREATE ROLE orders_app LOGIN PASSWORD '"+pgtest.Password+"' IN ROLE shop_rw"); err != nil {
		t.Fatal(err)
	}
	d.instance = rdstest.Start(t, rdstest.Checker{Region: "eu-west-1", Keys: d.sts.Key, Now: time.Now}, d.behind)
	return d
}

// behind signs in at the PostgreSQL itself.
func (d *database) behind(ctx context.Context, user, database string) (*pgconn.PgConn, error) {
	ca := filepath.Join(d.Dir, "behind-ca.pem")
	if err := os.WriteFile(ca, d.PG.CAPEM, 0o600); err != nil {
		return nil, err
	}
	return pgconn.Connect(ctx, fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s",
		d.PG.Host, d.PG.Port, user, pgtest.Password, database, ca))
}

// add puts an instance into the inventory, which is in eu-west-1.
func (d *database) add(name string, instance *rdstest.Instance) {
	d.t.Helper()
	ca := filepath.Join(d.Dir, "rds-ca.pem")
	if err := os.WriteFile(ca, instance.CAPEM, 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := d.Apply(d.t.Context(), fmt.Sprintf(rdsManifest, name, instance.Address, ca, d.role)); err != nil {
		d.t.Fatal(err)
	}
}

// open connects an agent to a resource through the edge.
func (d *database) open(name string) (*pgx.Conn, error) {
	d.t.Helper()
	ada := d.Token("ada@example.com", "agent", "agents")
	if out, err := d.Writ(d.t.Context(), ada, "request", name, "--for", "30m", "--reason", "test", "--no-wait"); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	access, err := d.Writ(d.t.Context(), ada, "token", name)
	if err != nil {
		d.t.Fatal(err)
	}
	return pgx.Connect(d.t.Context(), strings.Replace(d.DSN("writ", strings.TrimSpace(access)), "dbname="+world.Resource, "dbname="+name, 1))
}

// TestRDSTokenSignsIn: the edge signs in at RDS with a token that is checked as RDS does, and the agent never sees one.
func TestRDSTokenSignsIn(t *testing.T) {
	d := newDatabase(t)
	d.add("orders-rds", d.instance)
	conn, err := d.open("orders-rds")
	if err != nil {
		t.Fatalf("%v; refused %v", err, d.instance.Refused())
	}
	defer conn.Close(context.Background())
	var user string
	var products int
	if err := conn.QueryRow(t.Context(), "SELECT session_user, count(*) FROM products").Scan(&user, &products); err != nil || user != "orders_app" || products != 200 {
		t.Errorf("%s, %d: %v", user, products, err)
	}
	if got := fmt.Sprint(d.instance.Accepted()); !strings.Contains(got, "orders_app") || len(d.instance.Refused()) > 0 {
		t.Errorf("accepted %v, refused %v", got, d.instance.Refused())
	}
	elsewhere := rdstest.Start(t, rdstest.Checker{Region: "eu-central-1", Keys: d.sts.Key, Now: time.Now}, d.behind)
	d.add("orders-elsewhere", elsewhere)
	if _, err := d.open("orders-elsewhere"); err == nil || strings.Contains(err.Error(), "X-Amz") || len(elsewhere.Accepted()) > 0 || len(elsewhere.Refused()) == 0 {
		t.Errorf("in another region: %v, refused %v", err, elsewhere.Refused())
	}
	for _, file := range []string{d.Edge.LogFile, d.Control.LogFile} {
		if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "X-Amz-Signature") {
			t.Errorf("%s: a log shows a token, or %v", file, err)
		}
	}
}

// TestClientKeyMakesNoTokens: what an agent presigns itself, with the key that Writ gave it, is worth nothing at RDS.
func TestClientKeyMakesNoTokens(t *testing.T) {
	c := newCloud(t)
	out, err := c.aws(false, "rds", "generate-db-auth-token", "--hostname", "orders.example.com", "--port", "5432", "--username", "orders_app", "--region", "eu-west-1")
	if err != nil || !strings.Contains(out, "Action=connect") {
		t.Fatalf("%v: %s", err, out)
	}
	check := rdstest.Checker{Endpoint: "orders.example.com:5432", Region: "eu-west-1", Now: time.Now, Keys: func(id string) (rdstest.Key, bool) {
		return rdstest.Key{Secret: c.moto.Secret}, id == c.moto.Key
	}}
	if err := check.Check("orders_app", strings.TrimSpace(out)); err == nil {
		t.Error("RDS takes a token that the agent signed with its client key")
	}
}

// TestEKSTokenThroughTheEdge: the presigned call in a token of aws eks get-token is one of sts:GetCallerIdentity, whoever sends it; the
// edge answers it as any other, and AWS refuses it.
func TestEKSTokenThroughTheEdge(t *testing.T) {
	c := newCloud(t)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is missing")
	}
	const visit = `token=$(aws eks get-token --cluster-name shop --output text --query status.token)
url=$(printf %s "${token#k8s-aws-v1.}" | tr _- /+ | { cat; printf ===; } | base64 -d 2>/dev/null)
printf '%s\n' "$url" >"$OUT"
curl --silent --show-error --cacert "$AWS_CA_BUNDLE" --header 'x-k8s-aws-id: shop' "$url"
echo
curl --silent --show-error --cacert "$AWS_CA_BUNDLE" --header 'x-k8s-aws-id: other' "$url"`
	presigned := filepath.Join(t.TempDir(), "url")
	cmd := c.Command(t.Context(), c.agent, "aws", "exec", "shop", "--region", "eu-west-1", "--", "sh", "-c", visit)
	cmd.Env = append(cmd.Env, "OUT="+presigned)
	raw, err := cmd.CombinedOutput()
	good, bad, _ := strings.Cut(string(raw), "\n")
	if err != nil || !strings.Contains(good, "assumed-role/writ-shop/") || !strings.Contains(bad, "InvalidSignature") {
		t.Errorf("through the edge: %v: %s\nfor another cluster: %s", err, good, bad)
	}
	found := c.recorded("sts:GetCallerIdentity")
	if strings.Contains(found, "X-Amz-Signature") || strings.Contains(found, "k8s-aws-v1") {
		t.Errorf("a record shows the token: %s", found)
	}
	c.isWorthNothing(presigned)
}

// recorded are the records that have a text, which there must be.
func (c *cloud) recorded(text string) string {
	c.t.Helper()
	for range 100 {
		out, err := c.Writ(c.t.Context(), c.Administrator(), "audit", "search", "--limit", "500", "--output", "json")
		if err != nil {
			c.t.Fatalf("%v: %s", err, out)
		}
		if strings.Contains(out, text) {
			return out
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.t.Errorf("no record of %s", text)
	return ""
}

// isWorthNothing sends the presigned call to AWS itself, as a cluster does that is given the token.
func (c *cloud) isWorthNothing(file string) {
	c.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	_, query, _ := strings.Cut(strings.TrimSpace(string(text)), "?")
	token := "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte("https://sts.eu-west-1.amazonaws.com/?"+query))
	eks := kubetest.EKS{Cluster: "shop", Region: "eu-west-1", Moto: c.moto.URL}
	if id, err := eks.Verify(c.t, token); !errors.Is(err, kubetest.ErrEKSDenied) {
		c.t.Errorf("a cluster takes a token that the agent made with its client key: %+v, %v", id, err)
	}
}
