package postgres

import (
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/policy"
)

// Resource is one PostgreSQL database as the control plane describes it, without secrets.
type Resource struct {
	Policy        policy.Resource
	Endpoint      string // "host:port", or "unix:/path"
	Database      string
	TLS           upstream.TLS
	AllowLoopback bool
	// Classes gives the data classes of columns, by "schema.table.column".
	Classes map[string][]string
	// SafeFunctions are user functions, "schema.name", whose result derives from nothing
	// but their arguments.
	SafeFunctions []string
	// Detectors to run on result values; empty is the default set, "none" alone is off.
	Detectors []string
	// Dynamic says that sessions get a role of their own.
	Dynamic bool
	// Version changes with every change of the resource.
	Version uint64
}

// Name returns the resource's name.
func (r *Resource) Name() string { return string(r.Policy.Name) }

// target says how to reach the database as user.
func (r *Resource) target(user string, password []byte) upstream.Target {
	return upstream.Target{
		Address: r.Endpoint, Database: r.Database, User: user, Password: password, TLS: r.TLS,
		AllowLoopback: r.AllowLoopback, MaxProtocol: "3.2",
	}
}
