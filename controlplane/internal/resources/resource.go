// Package resources keeps the inventory: which databases, clusters and accounts exist, which edges serve them, and
// where a session's upstream credential comes from. Passwords, tokens and keys rest sealed beside the inventory and leave
// it only for the credential broker.
package resources

import (
	"encoding/json"
	"fmt"
	"time"
)

// Resource is one target.
type Resource struct {
	Name        string            `json:"name"`
	UID         string            `json:"uid"` // new for every creation: a grant is for one of them
	Labels      map[string]string `json:"labels,omitempty"`
	Edges       []string          `json:"edges"`
	Description string            `json:"description,omitempty"`
	Postgres    *Postgres         `json:"postgres,omitempty"`
	Kubernetes  *Kubernetes       `json:"kubernetes,omitempty"`
	AWS         *AWS              `json:"aws,omitempty"`
	Version     uint64            `json:"version"` // counts changes from 1
	UpdatedAt   time.Time         `json:"updated_at"`
}

// KindPostgres is the kind of a resource that is a PostgreSQL database.
const KindPostgres = "postgres"

// Kind names the sort of target, or is empty when there is none.
func (r Resource) Kind() string {
	switch {
	case r.Postgres != nil:
		return KindPostgres
	case r.Kubernetes != nil:
		return KindKubernetes
	case r.AWS != nil:
		return KindAWS
	}
	return ""
}

// secret returns the place of the credential's secret, or nil where it has none.
func (r *Resource) secret() *Secret {
	switch {
	case r.Postgres != nil:
		return r.Postgres.Credential.secret()
	case r.Kubernetes != nil:
		return r.Kubernetes.Credential.secret()
	}
	return nil
}

// place is where a secret is used, and as whom.
type place struct {
	kind, endpoint, user string
	tls                  TLS
}

func (r *Resource) place() place {
	switch {
	case r.Postgres != nil:
		return place{r.Kind(), r.Postgres.Endpoint, r.Postgres.Credential.user(), r.Postgres.TLS}
	case r.Kubernetes != nil:
		return place{r.Kind(), r.Kubernetes.Endpoint, r.Kubernetes.Credential.user(), r.Kubernetes.TLS}
	}
	return place{}
}

// Postgres is one PostgreSQL database.
type Postgres struct {
	Endpoint      string              `json:"endpoint"` // "host:port" as the edge reaches it
	Database      string              `json:"database"`
	TLS           TLS                 `json:"tls"`
	Credential    Credential          `json:"credential"`
	Classes       map[string][]string `json:"classes,omitempty"` // data class to columns "schema.table.column"
	SafeFunctions []string            `json:"safe_functions,omitempty"`
	AllowLoopback bool                `json:"allow_loopback,omitempty"`
	Detectors     []string            `json:"detectors,omitempty"`
}

// TLSMode says how much of the target's certificate the edge checks. The zero value is the strictest.
type TLSMode string

// The modes.
const (
	VerifyFull TLSMode = ""
	VerifyCA   TLSMode = "verify-ca"
	Disable    TLSMode = "disable"
)

// TLS says how the edge checks the target.
type TLS struct {
	Mode       TLSMode `json:"mode,omitempty"`
	CAPEM      string  `json:"ca_pem,omitempty"` // empty is the system's roots
	ServerName string  `json:"server_name,omitempty"`
}

// Credential has exactly one source.
type Credential struct {
	Static  *Static  `json:"static,omitempty"`
	Dynamic *Dynamic `json:"dynamic,omitempty"`
	RDSIAM  *RDSIAM  `json:"rds_iam,omitempty"`
}

// Static is one user whose password is the same for every session.
type Static struct {
	User     string `json:"user"`
	Password Secret `json:"-"`
}

// Dynamic makes a role for each session and drops it afterwards.
type Dynamic struct {
	AdminUser       string   `json:"admin_user"`
	AdminPassword   Secret   `json:"-"`
	MemberOf        []string `json:"member_of"`
	ConnectionLimit int32    `json:"connection_limit,omitempty"`
}

// RDSIAM signs in with an IAM authentication token.
type RDSIAM struct {
	User    string        `json:"user"`
	Region  string        `json:"region"`
	RoleARN string        `json:"role_arn,omitempty"`
	Refresh time.Duration `json:"refresh,omitempty"`
}

// secret returns the place of the credential's password, or nil where it has none.
func (c *Credential) secret() *Secret {
	switch {
	case c.Static != nil:
		return &c.Static.Password
	case c.Dynamic != nil:
		return &c.Dynamic.AdminPassword
	}
	return nil
}

// user is the name that the password belongs to.
func (c *Credential) user() string {
	switch {
	case c.Static != nil:
		return c.Static.User
	case c.Dynamic != nil:
		return c.Dynamic.AdminUser
	}
	return ""
}

// Secret is a password, a token or a key. However it is printed or encoded, it shows only that it is one.
type Secret string

const hidden = "[secret]"

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// Format hides the secret from every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// clone returns a deep copy that keeps no secret.
func (r Resource) clone() (Resource, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return Resource{}, fmt.Errorf("copy resource: %w", err)
	}
	var c Resource
	return c, json.Unmarshal(data, &c)
}

// same reports whether the two say the same, apart from what the inventory itself fills in and from secrets.
func same(a, b Resource) bool {
	plain := func(r Resource) string {
		r.UID, r.Version, r.UpdatedAt = "", 0, time.Time{}
		data, _ := json.Marshal(r)
		return string(data)
	}
	return plain(a) == plain(b)
}
