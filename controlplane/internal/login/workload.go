package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/writhq/writ/controlplane/internal/login/awsiam"
	"github.com/writhq/writ/controlplane/internal/login/svid"
	"github.com/writhq/writ/controlplane/internal/store"
)

// AWSProof is a signed GetCallerIdentity that was not sent.
type AWSProof = awsiam.Proof

// AWSConfig says which AWS roles may sign in.
type AWSConfig = awsiam.Config

// SPIFFEConfig says which SPIFFE workloads may sign in.
type SPIFFEConfig = svid.Config

// ErrNoMethod is a way to sign in that is not configured.
var ErrNoMethod = errors.New("nobody signs in this way here")

// workloads are the ways to sign in besides ID tokens; nil where one is not configured.
type workloads struct {
	nonces *awsiam.Nonces
	aws    *awsiam.Verifier
	spiffe *svid.Verifier
}

func newWorkloads(cfg Config) (w workloads, err error) {
	if cfg.AWS.Enabled() {
		if w.nonces, err = awsiam.NewNonces(cfg.NonceKey, cfg.Now); err != nil {
			return w, err
		}
		if w.aws, err = awsiam.New(cfg.AWS, w.nonces, cfg.Now); err != nil {
			return w, err
		}
	}
	if cfg.SPIFFE.Enabled() {
		w.spiffe, err = svid.New(cfg.SPIFFE, cfg.Now)
	}
	return w, err
}

// namespaces are the issuers and, as if they were some, the other ways to sign in: no two of them share a name.
func (c Config) namespaces(issuers []Issuer) []Issuer {
	all := slices.Clone(issuers)
	if c.AWS.Enabled() {
		all = append(all, Issuer{URL: "aws-iam", NamePrefix: awsiam.Prefix})
	}
	if c.SPIFFE.Enabled() {
		all = append(all, Issuer{URL: svid.Prefix + c.SPIFFE.TrustDomain, NamePrefix: svid.Prefix})
	}
	return all
}

// CreateNonce returns a value that an AWS proof must carry, and until when. It fails with ErrNoMethod where AWS roles do
// not sign in.
func (l *Logins) CreateNonce() (nonce string, expires time.Time, err error) {
	if l.workloads.nonces == nil {
		return "", time.Time{}, ErrNoMethod
	}
	nonce, expires = l.workloads.nonces.Create()
	return nonce, expires, nil
}

// AWS returns how AWS roles sign in; ok is false where they do not.
func (l *Logins) AWS() (cfg AWSConfig, ok bool) { return l.cfg.AWS, l.workloads.aws != nil }

// SPIFFE returns how SPIFFE workloads sign in; ok is false where they do not.
func (l *Logins) SPIFFE() (cfg SPIFFEConfig, ok bool) { return l.cfg.SPIFFE, l.workloads.spiffe != nil }

// spending is what a sign-in writes down so that its proof cannot be used again.
type spending func(*store.Tx) error

func spendNothing(*store.Tx) error { return nil }

// verify checks the one proof there is.
func (l *Logins) verify(ctx context.Context, p Proof) (verified, spending, error) {
	given := 0
	for _, set := range []bool{p.IDToken != "", p.AWS != nil, p.SVID != ""} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return verified{}, nil, fmt.Errorf("%w: give one proof", ErrProof)
	case p.AWS != nil:
		return l.verifyAWS(ctx, *p.AWS)
	case p.SVID != "":
		v, err := l.verifySVID(ctx, p.SVID)
		return v, spendNothing, err
	}
	v, err := l.verifyIDToken(ctx, p.IDToken)
	return v, spendNothing, err
}

func (l *Logins) verifySVID(ctx context.Context, raw string) (verified, error) {
	if l.workloads.spiffe == nil {
		return verified{}, fmt.Errorf("%w: %w", ErrProof, ErrNoMethod)
	}
	got, err := l.workloads.spiffe.Verify(ctx, raw)
	if err != nil {
		return verified{}, proofError(err, svid.ErrUnavailable)
	}
	return verified{principal: got.Principal, issued: got.Issued, expires: got.Expires}, nil
}

func (l *Logins) verifyAWS(ctx context.Context, p AWSProof) (verified, spending, error) {
	if l.workloads.aws == nil {
		return verified{}, nil, fmt.Errorf("%w: %w", ErrProof, ErrNoMethod)
	}
	got, err := l.workloads.aws.Verify(ctx, p)
	if err != nil {
		return verified{}, nil, proofError(err, awsiam.ErrUnavailable)
	}
	spend, err := l.spendNonce(ctx, got.Nonce)
	return verified{principal: got.Principal, issued: got.Signed, expires: l.cfg.Now().Add(Lifetime)}, spend, err
}

// spendNonce refuses a nonce that was used. It is kept for as long as it would be good.
func (l *Logins) spendNonce(ctx context.Context, id awsiam.NonceID) (spending, error) {
	lease, err := l.cfg.Store.Lease(ctx, awsiam.NonceLifetime+time.Minute)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) error {
		err := l.spent.In(tx).Create(string(id), struct{}{}, store.WithLease(lease.ID()))
		if errors.Is(err, store.ErrExists) {
			return fmt.Errorf("%w: this signed request was used already; sign a new one", ErrProof)
		}
		return err
	}, nil
}

// proofError is a refusal, or a fault of whom is asked.
func proofError(err, unavailable error) error {
	if errors.Is(err, unavailable) {
		return fmt.Errorf("%w: %w", ErrIssuerUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrProof, err)
}
