package tunnel

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/policycache"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// State is all that an edge needs besides policy.
type State struct {
	Resources  []Resource // that this edge serves
	Locks      []enforce.Lock
	TokenKeys  identity.Keys
	PolicyKeys identity.Keys
	MaskingKey []byte
}

// Resource returns the resource with a name.
func (s State) Resource(name string) (Resource, bool) {
	for _, r := range s.Resources {
		if r.Name == name {
			return r, true
		}
	}
	return Resource{}, false
}

// Resource is one target, without secrets.
type Resource struct {
	Name    string
	Kind    string
	Labels  map[string]string
	Version uint64 // changes with every change of the resource
	// Postgres is set for the kind "postgres".
	Postgres *Postgres
	// Kubernetes is set for the kind "kubernetes".
	Kubernetes *Kubernetes
	// AWS is set for the kind "aws".
	AWS *AWS
}

// Policy is the resource as policies see it.
func (r Resource) Policy() policy.Resource {
	seen := policy.Resource{Name: policy.ResourceName(r.Name), Kind: r.Kind, Labels: r.Labels}
	if r.AWS != nil {
		seen.Role = &policy.Role{ARN: r.AWS.RoleARN, Privileges: r.AWS.Privileges}
	}
	return seen
}

// KindPostgres is the kind of a PostgreSQL database.
const KindPostgres = "postgres"

// Postgres is one PostgreSQL database.
type Postgres struct {
	Endpoint      string // "host:port"
	Database      string
	TLS           TargetTLS
	Classes       map[string][]string // data class to columns "schema.table.column"
	SafeFunctions []string
	AllowLoopback bool
	Detectors     []string
	Dynamic       bool // each session gets a role of its own
}

// TLSMode says how much of the target's certificate is checked. The zero value
// is the strictest.
type TLSMode uint8

// The modes.
const (
	VerifyFull TLSMode = iota
	VerifyCA
	DisableTLS
)

// TargetTLS says how the target is checked.
type TargetTLS struct {
	Mode       TLSMode
	CAPEM      string // empty is the system's roots
	ServerName string
}

// Sweep is a role that an ended session left behind.
type Sweep struct {
	Lease, Resource, Role string
}

var errUnknown = errors.New("unknown to this version of the edge")

func stateOf(w *edgev1.State) (State, error) {
	st := State{MaskingKey: w.GetMaskingKey()}
	if len(w.GetDigest()) == 0 {
		return State{}, errors.New("state without digest")
	}
	var err error
	if st.TokenKeys, err = keysOf(w.GetTokenKeys()); err != nil {
		return State{}, fmt.Errorf("token keys: %w", err)
	}
	if st.PolicyKeys, err = keysOf(w.GetPolicyKeys()); err != nil {
		return State{}, fmt.Errorf("policy keys: %w", err)
	}
	for _, r := range w.GetResources() {
		resource, err := resourceOf(r)
		if errors.Is(err, errUnknown) {
			continue // it cannot be served here, which denies it
		}
		if err != nil {
			return State{}, fmt.Errorf("resource %q: %w", r.GetName(), err)
		}
		st.Resources = append(st.Resources, resource)
	}
	st.setPrivileges(w.GetRoles())
	for _, l := range w.GetLocks() {
		lock := enforce.Lock{ID: l.GetId(), Target: l.GetTarget(), Name: l.GetName(), Reason: l.GetReason()}
		if l.GetExpiresAt() != nil {
			lock.ExpiresAt = l.GetExpiresAt().AsTime()
		}
		st.Locks = append(st.Locks, lock)
	}
	return st, nil
}

// setPrivileges says of accounts what their roles may do. Of one that is named twice nothing is known.
func (s State) setPrivileges(roles []*edgev1.Privileges) {
	known, times := map[string][]string{}, map[string]int{}
	for _, p := range roles {
		for _, name := range p.GetAccounts() {
			known[name] = append([]string{}, p.GetActions()...)
			times[name]++
		}
	}
	for _, r := range s.Resources {
		if r.AWS != nil && times[r.Name] == 1 {
			r.AWS.Privileges = known[r.Name]
		}
	}
}

func keysOf(wire []*edgev1.PublicKey) (identity.Keys, error) {
	byID := make(map[string]ed25519.PublicKey, len(wire))
	for _, k := range wire {
		byID[k.GetId()] = k.GetEd25519()
	}
	return identity.NewKeys(byID)
}

func resourceOf(w *accessv1.Resource) (Resource, error) {
	r := Resource{Name: w.GetName(), Labels: w.GetLabels(), Version: w.GetVersion()}
	var err error
	switch t := w.GetTarget().(type) {
	case *accessv1.Resource_Postgres:
		r.Kind = KindPostgres
		r.Postgres, err = postgresOf(t.Postgres)
	case *accessv1.Resource_Kubernetes:
		r.Kind = KindKubernetes
		r.Kubernetes, err = kubernetesOf(t.Kubernetes)
	case *accessv1.Resource_Aws:
		r.Kind = KindAWS
		r.AWS, err = awsOf(t.Aws)
	default:
		err = errUnknown
	}
	if err != nil {
		return Resource{}, err
	}
	return r, nil
}

func postgresOf(w *accessv1.PostgresTarget) (*Postgres, error) {
	tls, err := tlsOf(w.GetTls())
	if err != nil {
		return nil, err
	}
	p := &Postgres{
		Endpoint: w.GetEndpoint(), Database: w.GetDatabase(), SafeFunctions: w.GetSafeFunctions(),
		AllowLoopback: w.GetAllowLoopback(), Detectors: w.GetDetectors(), Classes: map[string][]string{},
		TLS: tls, Dynamic: w.GetCredential().GetDynamic() != nil,
	}
	for class, columns := range w.GetClasses() {
		p.Classes[class] = columns.GetColumns()
	}
	return p, nil
}

func tlsOf(w *accessv1.TargetTLS) (TargetTLS, error) {
	mode, err := modeOf(w.GetMode())
	if err != nil {
		return TargetTLS{}, err
	}
	return TargetTLS{Mode: mode, CAPEM: w.GetCaPem(), ServerName: w.GetServerName()}, nil
}

func modeOf(m accessv1.TargetTLS_Mode) (TLSMode, error) {
	switch m {
	case accessv1.TargetTLS_MODE_UNSPECIFIED, accessv1.TargetTLS_MODE_VERIFY_FULL:
		return VerifyFull, nil
	case accessv1.TargetTLS_MODE_VERIFY_CA:
		return VerifyCA, nil
	case accessv1.TargetTLS_MODE_DISABLE:
		return DisableTLS, nil
	}
	return VerifyFull, fmt.Errorf("tls mode %d: %w", m, errUnknown)
}

func revisionOf(w *edgev1.PolicyRevision) (policycache.Revision, error) {
	var bundle accessv1.Bundle
	if err := proto.Unmarshal(w.GetBundle(), &bundle); err != nil {
		return policycache.Revision{}, errors.New("bundle is not readable")
	}
	return policycache.Revision{
		Number: w.GetNumber(), Bundle: policy.Bundle{Files: bundle.GetFiles()}, Digest: w.GetDigest(),
		KeyID: w.GetKeyId(), Signature: w.GetSignature(),
	}, nil
}

func sweepsOf(w *edgev1.SweepLeases) []Sweep {
	var all []Sweep
	for _, l := range w.GetLeases() {
		all = append(all, Sweep{Lease: l.GetId(), Resource: l.GetResource(), Role: l.GetRole()})
	}
	return all
}

var kinds = map[accessv1.PrincipalKind]string{
	accessv1.PrincipalKind_PRINCIPAL_KIND_PERSON: policy.KindPerson, accessv1.PrincipalKind_PRINCIPAL_KIND_AGENT: policy.KindAgent,
	accessv1.PrincipalKind_PRINCIPAL_KIND_JOB: policy.KindJob, accessv1.PrincipalKind_PRINCIPAL_KIND_SERVICE: policy.KindService,
}

// emailAttribute is no attribute of the principal: the control plane repeats its
// verified e-mail address there, for other clients.
const emailAttribute = "email"

func principalOf(w *accessv1.Principal) policy.Principal {
	p := aloneOf(w)
	for _, d := range w.GetDelegators() {
		p.Delegators = append(p.Delegators, aloneOf(d))
	}
	return p
}

// aloneOf reads a principal without its delegators.
func aloneOf(w *accessv1.Principal) policy.Principal {
	p := policy.Principal{
		Kind: kinds[w.GetKind()], ID: w.GetName(), Name: w.GetName(), Issuer: w.GetIssuer(), Groups: w.GetGroups(),
		OnBehalfOf: w.GetOnBehalfOf(), Email: w.GetEmail(), Attrs: map[string]string{},
	}
	for k, v := range w.GetAttributes() {
		if k != emailAttribute {
			p.Attrs[k] = v
		}
	}
	return p
}
