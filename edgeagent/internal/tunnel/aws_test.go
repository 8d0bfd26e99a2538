package tunnel

import (
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const prodRole = "arn:aws:iam::111122223333:role/writ-prod"

func awsTarget(change func(*accessv1.AwsTarget)) *accessv1.Resource {
	target := &accessv1.AwsTarget{
		Account: "111122223333", RoleArn: prodRole, Partition: "aws", Regions: []string{"eu-west-1"},
		Endpoint: "https://vpce.example:8443", Tls: &accessv1.TargetTLS{CaPem: "ca"}, Detectors: []string{"email"},
		Classes: map[string]*accessv1.FieldList{"pii": {Fields: []string{"dynamodb:GetItem:Item.Email"}}},
	}
	change(target)
	return &accessv1.Resource{Name: "prod", Version: 7, Target: &accessv1.Resource_Aws{Aws: target}}
}

func TestStateHoldsAccounts(t *testing.T) {
	wire := newFakePlane(t).stateWith("orders-db")
	wire.Resources = append(wire.Resources, awsTarget(func(*accessv1.AwsTarget) {}))
	st, err := stateOf(wire)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := st.Resource("prod")
	want := Resource{Name: "prod", Kind: KindAWS, Version: 7, AWS: &AWS{
		Account: "111122223333", RoleARN: prodRole, Partition: "aws", Regions: []string{"eu-west-1"}, Endpoint: "vpce.example:8443",
		TLS: TargetTLS{CAPEM: "ca"}, Classes: map[string][]string{"pii": {"dynamodb:GetItem:Item.Email"}}, Detectors: []string{"email"},
	}}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if seen := got.Policy(); seen.Kind != "aws" || seen.Role == nil || seen.Role.ARN != prodRole || len(seen.Role.Privileges) != 0 {
		t.Fatalf("policies see %+v", seen)
	}
	if db, _ := st.Resource("orders-db"); db.AWS != nil || db.Policy().Role != nil {
		t.Fatalf("the database became %+v", db)
	}
}

func TestAWSEndpoints(t *testing.T) {
	for _, tt := range []struct {
		given    string
		loopback bool
		want     string // empty is not served
		plain    bool
	}{
		{"https://vpce.example:443", false, "vpce.example:443", false},
		{"https://[fd00::1]:443", false, "[fd00::1]:443", false},
		{"https://127.0.0.1:5000", true, "127.0.0.1:5000", false},
		{"http://127.0.0.1:5000", true, "127.0.0.1:5000", true},
		{"http://[::1]:5000", true, "[::1]:5000", true},
		{"http://127.0.0.1:5000", false, "", false},
		{"http://vpce.example:80", true, "", false},
		{"http://localhost:80", true, "", false},
		{"ftp://127.0.0.1:5000", true, "", false},
		{"vpce.example:443", false, "", false},
		{"https://vpce.example", false, "", false},
	} {
		r, err := resourceOf(awsTarget(func(a *accessv1.AwsTarget) { a.Endpoint, a.AllowLoopback = tt.given, tt.loopback }))
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s is served: %+v", tt.given, r.AWS)
			}
			continue
		}
		if err != nil || r.AWS.Endpoint != tt.want || (r.AWS.TLS.Mode == DisableTLS) != tt.plain {
			t.Errorf("%s: %+v, %v", tt.given, r.AWS, err)
		}
	}
}

func TestAccountsThatAreNotServed(t *testing.T) {
	for name, change := range map[string]func(*accessv1.AwsTarget){
		"no tls":        func(a *accessv1.AwsTarget) { a.Tls.Mode = accessv1.TargetTLS_MODE_DISABLE },
		"some tls":      func(a *accessv1.AwsTarget) { a.Tls.Mode = 99 },
		"no number":     func(a *accessv1.AwsTarget) { a.Account = "" },
		"no role":       func(a *accessv1.AwsTarget) { a.RoleArn = "" },
		"no partition":  func(a *accessv1.AwsTarget) { a.Partition = "" },
		"half endpoint": func(a *accessv1.AwsTarget) { a.Endpoint = "https://" },
	} {
		wire := newFakePlane(t).stateWith("orders-db")
		wire.Resources = append(wire.Resources, awsTarget(change))
		if st, err := stateOf(wire); err != nil || len(st.Resources) != 1 {
			t.Errorf("%s: %+v, %v", name, st.Resources, err)
		}
	}
}

func TestAWSKeysAreWiped(t *testing.T) {
	wire := &edgev1.Credential{Aws: &edgev1.AwsKeys{AccessKeyId: "ASIAEXAMPLE", SecretAccessKey: []byte("secret"), SessionToken: []byte("session")}}
	cred := credentialOf(wire)
	want := enforce.AWSKeys{KeyID: "ASIAEXAMPLE", Secret: []byte("secret"), SessionToken: []byte("session")}
	if cred.AWS == nil || !reflect.DeepEqual(*cred.AWS, want) {
		t.Fatalf("got %+v", cred.AWS)
	}
	keys := *cred.AWS
	cred.Wipe()
	if strings.Trim(string(keys.Secret)+string(keys.SessionToken), "\x00") != "" {
		t.Fatalf("left after the wipe: %q %q", keys.Secret, keys.SessionToken)
	}
	if credentialOf(&edgev1.Credential{}).AWS != nil {
		t.Fatal("keys of nothing")
	}
}

func FuzzAWSEndpoint(f *testing.F) {
	for _, text := range []string{"https://vpce.example:443", "http://127.0.0.1:5000", "http://[::ffff:127.0.0.1]:1", "http://169.254.169.254:80", "://", "https://"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, loopback bool) {
		a := AWS{AllowLoopback: loopback}
		if err := a.setEndpoint(text); err != nil || text == "" {
			if a.Endpoint != "" {
				t.Fatalf("%q was refused and taken", text)
			}
			return
		}
		host, _, err := net.SplitHostPort(a.Endpoint)
		if err != nil || !strings.HasSuffix(text, "://"+a.Endpoint) {
			t.Fatalf("%q became %q", text, a.Endpoint)
		}
		if addr, _ := netip.ParseAddr(host); a.TLS.Mode == DisableTLS && (!loopback || !addr.Unmap().IsLoopback()) {
			t.Fatalf("%q is called in clear", text)
		}
	})
}

// What an edge is told of roles is what policy sees; what it is not told is not known.
func TestPrivilegesOfAccounts(t *testing.T) {
	target := func(name string) *accessv1.Resource {
		return &accessv1.Resource{Name: name, Target: &accessv1.Resource_Aws{Aws: &accessv1.AwsTarget{
			Account: "111122223333", Partition: "aws", RoleArn: "arn:aws:iam::111122223333:role/" + name,
		}}}
	}
	st, err := stateOf(&edgev1.State{
		Digest:    []byte("d"),
		Resources: []*accessv1.Resource{target("reader"), target("admin"), target("stranger"), target("twice")},
		Roles: []*edgev1.Privileges{
			{Accounts: []string{"reader", "gone"}}, {Accounts: []string{"admin", "twice"}, Actions: []string{"iam:PassRole"}}, {Accounts: []string{"twice"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"reader": {}, "admin": {"iam:PassRole"}, "stranger": nil, "twice": nil} {
		r, _ := st.Resource(name)
		role := r.Policy().Role
		if role.ARN != "arn:aws:iam::111122223333:role/"+name || !slices.Equal(role.Privileges, want) || (role.Privileges == nil) != (want == nil) {
			t.Errorf("%s: %+v", name, role)
		}
	}
}
