package api

import (
	"context"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/login"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// workloadMethods are the ways in which workloads sign in here, besides ID tokens.
func (s identityService) workloadMethods() []*accessv1.SignInMethod {
	var methods []*accessv1.SignInMethod
	if aws, ok := s.cfg.Logins.AWS(); ok {
		methods = append(methods, &accessv1.SignInMethod{Method: &accessv1.SignInMethod_AwsIam{
			AwsIam: &accessv1.AwsIam{ServerId: aws.ServerID, Regions: aws.Regions},
		}})
	}
	if spiffe, ok := s.cfg.Logins.SPIFFE(); ok {
		methods = append(methods, &accessv1.SignInMethod{Method: &accessv1.SignInMethod_Spiffe{
			Spiffe: &accessv1.Spiffe{TrustDomain: spiffe.TrustDomain, Audiences: spiffe.Audiences},
		}})
	}
	return methods
}

// CreateNonce makes a value that a signed AWS request must carry.
func (s identityService) CreateNonce(context.Context, *accessv1.CreateNonceRequest) (*accessv1.CreateNonceResponse, error) {
	nonce, expires, err := s.cfg.Logins.CreateNonce()
	if err != nil {
		return nil, err
	}
	return &accessv1.CreateNonceResponse{Nonce: nonce, ExpiresAt: convert.Time(expires)}, nil
}

// proofOf reads the proof of a workload or a person; ok is false where there is none.
func proofOf(req *accessv1.LoginRequest) (p login.Proof, ok bool) {
	p.OnBehalfOf = req.GetOnBehalfOfToken()
	switch proof := req.GetProof().(type) {
	case *accessv1.LoginRequest_OidcToken:
		p.IDToken = proof.OidcToken
	case *accessv1.LoginRequest_AwsIam:
		p.AWS = &login.AWSProof{Region: proof.AwsIam.GetRegion(), Headers: proof.AwsIam.GetHeaders(), Body: proof.AwsIam.GetBody()}
	case *accessv1.LoginRequest_SpiffeSvid:
		p.SVID = proof.SpiffeSvid
	default:
		return p, false
	}
	return p, true
}
