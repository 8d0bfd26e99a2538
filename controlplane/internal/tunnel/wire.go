package tunnel

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/convert"
	broker "github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/pkg/identity"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

func wireLock(l locks.Lock) *edgev1.Lock {
	return &edgev1.Lock{Id: l.ID, Target: string(l.Target), Name: l.Name, Reason: l.Reason, ExpiresAt: convert.Time(l.ExpiresAt)}
}

func wireKeys(keys identity.Keys) []*edgev1.PublicKey {
	all := keys.All()
	var w []*edgev1.PublicKey
	for _, id := range slices.Sorted(maps.Keys(all)) {
		w = append(w, &edgev1.PublicKey{Id: id, Ed25519: all[id]})
	}
	return w
}

// wirePolicy encodes a revision. The bundle is an access.v1 Bundle; what the
// digest and the signature cover is its content, not this encoding.
func wirePolicy(r policies.Revision) (*edgev1.PolicyRevision, error) {
	bundle, err := proto.MarshalOptions{Deterministic: true}.Marshal(&accessv1.Bundle{Files: r.Files})
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return &edgev1.PolicyRevision{Number: r.Number, Bundle: bundle, Digest: r.Digest, KeyId: r.KeyID, Signature: r.Signature}, nil
}

// wirePrivileges says of the accounts among some resources what their roles are known to allow. Accounts whose roles allow the same are
// named together: a role is often the same in all accounts of a company.
func wirePrivileges(resources []*accessv1.Resource, known map[string]roles.Known) []*edgev1.Privileges {
	var all []*edgev1.Privileges
	alike := map[string]*edgev1.Privileges{}
	for _, r := range resources {
		role, ok := known[r.GetName()]
		if !ok || r.GetAws() == nil || role.RoleARN != r.GetAws().GetRoleArn() {
			continue
		}
		key := strings.Join(role.Actions, " ")
		p := alike[key]
		if p == nil {
			p = &edgev1.Privileges{Actions: role.Actions}
			alike[key], all = p, append(all, p)
		}
		p.Accounts = append(p.Accounts, r.GetName())
	}
	return all
}

// stateDigest names the content of a state: SHA-256 over its encoding without
// version and digest. Replicas of one version agree on it; an edge repeats it.
func stateDigest(st *edgev1.State) ([]byte, error) {
	version, digest := st.Version, st.Digest
	st.Version, st.Digest = 0, nil
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(st)
	st.Version, st.Digest = version, digest
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	sum := sha256.Sum256(data)
	return sum[:], nil
}

func wireCredential(c broker.Credential) *edgev1.Credential {
	w := &edgev1.Credential{
		Lease: c.Lease, User: c.User, Password: c.Password, ExpiresAt: convert.Time(c.ExpiresAt), ClientCertificate: c.ClientCertificate,
	}
	if c.Role != nil {
		w.Role = &edgev1.Role{
			MemberOf: c.Role.MemberOf, ConnectionLimit: c.Role.ConnectionLimit, ValidUntil: convert.Time(c.Role.ValidUntil),
		}
	}
	if t := c.TokenRequest; t != nil {
		w.TokenRequest = &edgev1.TokenRequest{Namespace: t.Namespace, ServiceAccount: t.ServiceAccount, Audiences: t.Audiences}
	}
	if k := c.AWS; k != nil {
		w.Aws = &edgev1.AwsKeys{AccessKeyId: k.KeyID, SecretAccessKey: k.Secret, SessionToken: k.SessionToken}
	}
	return w
}

func wireHold(h approvals.Hold) *edgev1.HoldResponse {
	w := &edgev1.HoldResponse{Id: h.ID, State: string(h.State), By: h.Approvers()}
	for _, v := range h.Votes {
		w.Comment = v.Comment
		if !v.Approve {
			w.By = []string{v.Voter}
		}
	}
	return w
}
