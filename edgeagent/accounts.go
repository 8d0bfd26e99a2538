package edgeagent

import (
	"fmt"

	"github.com/writhq/writ/edgeagent/internal/aws"
	"github.com/writhq/writ/edgeagent/internal/tunnel"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

// serveAWS makes the part that AWS clients need, whose models take memory.
func (e *edge) serveAWS(dialer *upstream.Dialer) error {
	model, err := awsmodel.Open()
	if err != nil {
		return fmt.Errorf("open AWS models: %w", err)
	}
	ca, _, err := aws.LoadCA(e.cfg.StateDir, e.client.Edge(), e.cfg.Now())
	if err != nil {
		return err
	}
	authority, err := aws.NewAuthority(ca, e.cfg.Now)
	if err != nil {
		return err
	}
	e.awsCA = ca.Certificate[0]
	e.accounts, err = aws.New(aws.Config{
		Pipeline: e.pipeline, Broker: e.client, Dialer: dialer, Model: model, Authority: authority, MaxSessions: e.cfg.MaxConnections,
		Keys: func() identity.Keys { return e.client.CurrentState().TokenKeys }, Clock: e.cfg.Now, Logger: e.cfg.Logger.Named("aws"),
	})
	return err
}

func awsResources(all []tunnel.Resource, maskKey []byte) (accounts []*aws.Resource) {
	for _, r := range all {
		if r.AWS == nil {
			continue
		}
		a := r.AWS
		accounts = append(accounts, &aws.Resource{
			Detectors: a.Detectors, MaskKey: maskKey,
			Policy: r.Policy(), Account: a.Account, Partition: a.Partition, Regions: a.Regions, Endpoint: a.Endpoint, AllowLoopback: a.AllowLoopback,
			Classes: a.Classes, ForeignBuckets: a.ForeignBuckets, SearchedBuckets: a.SearchedBuckets, Version: r.Version, TLS: upstream.TLS{Mode: tlsModes[a.TLS.Mode], CAPEM: []byte(a.TLS.CAPEM), ServerName: a.TLS.ServerName},
		})
	}
	return accounts
}

// awsRoles are the roles of all accounts, as far as they are known.
func awsRoles(all []tunnel.Resource) map[policy.ResourceName]*policy.Role {
	roles := map[policy.ResourceName]*policy.Role{}
	for _, r := range all {
		if r.AWS != nil {
			seen := r.Policy()
			roles[seen.Name] = seen.Role
		}
	}
	return roles
}
