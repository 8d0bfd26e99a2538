// Package rdstest stands for RDS with IAM database authentication: it checks tokens as RDS does, with our own verifier of
// presigned requests, before a real PostgreSQL; and it keeps the keys of the roles that a moto gave out.
package rdstest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/sigv4"
)

// ErrToken is a token that RDS would not take.
var ErrToken = errors.New("the token is not taken")

// Lifetime is how long a token is good, at most (Amazon RDS User Guide, "IAM database authentication").
const Lifetime = 15 * time.Minute

// Key is of a user or role in IAM.
type Key struct {
	Secret, SessionToken string
}

// Checker checks the tokens of one instance.
type Checker struct {
	Endpoint string // "host:port" of the instance
	Region   string
	Keys     func(id string) (Key, bool)
	Now      func() time.Time
}

// Check says whether a token signs in the database user.
func (c Checker) Check(user, token string) error {
	if err := c.check(user, token); err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	return nil
}

func (c Checker) check(user, token string) error {
	host, query, _ := strings.Cut(token, "?")
	if host = strings.TrimSuffix(host, "/"); host != c.Endpoint {
		return errors.New("it is for another instance")
	}
	nothing := sha256.Sum256(nil)
	r := &sigv4.Request{
		Method: http.MethodGet, Host: host, Path: "/", RawQuery: query, Header: http.Header{}, BodyHash: hex.EncodeToString(nothing[:]),
	}
	a, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	key, known := c.Keys(a.KeyID)
	switch {
	case !a.Presigned || a.Algorithm != sigv4.HMAC || !slices.Equal(a.SignedHeaders, []string{"host"}):
		return errors.New("it is not signed as a token is")
	case a.Scope.Service != "rds-db" || a.Scope.Region != c.Region:
		return errors.New("it is for another service or region")
	case a.Expires <= 0 || a.Expires > Lifetime:
		return errors.New("it says that it lasts too long")
	case !known || key.SessionToken != a.SessionToken:
		return errors.New("it is signed with a key that IAM does not know")
	}
	verifier, err := sigv4.NewVerifier(sigv4.VerifierConfig{Now: c.Now})
	if err != nil {
		return err
	}
	if _, err := verifier.Verify(r, a, key.Secret); err != nil {
		return err
	}
	said, err := url.ParseQuery(a.Query)
	if err != nil {
		return err
	}
	if len(said) != 2 || !slices.Equal(said["Action"], []string{"connect"}) || !slices.Equal(said["DBUser"], []string{user}) {
		return errors.New("it is for another user or action")
	}
	return nil
}
