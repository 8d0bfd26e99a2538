package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/writhq/writ/pkg/policy"
)

// Limits on what a token may say.
const (
	maxToken  = 32 << 10
	maxName   = 256
	maxGroups = 1000
	maxChain  = 16
	// leeway is by how much an issuer's clock may be ahead of ours. Expiry has none.
	leeway = time.Minute
)

// verified is what a token that passed all checks says.
type verified struct {
	principal policy.Principal
	issued    time.Time
	expires   time.Time
	nonce     string // of the sign-in it was issued for; may be empty
	party     string // the client it was issued to, where the token tells
	acted     bool   // its issuer says that the principal acts for the subject (RFC 8693)
}

// verifier checks the tokens of one issuer.
type verifier struct {
	issuer Issuer
	keys   *remoteKeys
	tokens *oidc.IDTokenVerifier
	now    func() time.Time
}

func newVerifier(is Issuer, now func() time.Time) (*verifier, error) {
	keys, err := newRemoteKeys(is, now)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return &verifier{issuer: is, keys: keys, now: now, tokens: oidc.NewVerifier(is.URL, keys, &oidc.Config{
		SkipClientIDCheck:    true, // there may be several audiences; audience checks them
		SupportedSigningAlgs: names,
		Now:                  now,
	})}, nil
}

// verify checks signature, issuer, audience, times and required claims.
func (v *verifier) verify(ctx context.Context, raw string) (verified, error) {
	return v.verifyFor(ctx, raw, v.issuer.Audiences)
}

// verifyFor is verify for one of these audiences.
func (v *verifier) verifyFor(ctx context.Context, raw string, audiences []string) (verified, error) {
	if _, err := v.keys.find(ctx, ""); err != nil { // first, because the library does not keep the kind of this error
		return verified{}, err
	}
	token, err := v.tokens.Verify(ctx, raw)
	if err != nil {
		return verified{}, explain(err)
	}
	c, err := readClaims(token)
	if err != nil {
		return verified{}, err
	}
	if token.Issuer != v.issuer.URL { // the library is lenient to one issuer
		return verified{}, fmt.Errorf("%w: it is of another issuer", ErrProof)
	}
	if !slices.ContainsFunc(token.Audience, func(aud string) bool { return slices.Contains(audiences, aud) }) {
		return verified{}, fmt.Errorf("%w: it is for another audience; ask for one for %s", ErrProof, strings.Join(audiences, " or "))
	}
	if err := c.checkTimes(v.now()); err != nil {
		return verified{}, err
	}
	if err := v.issuer.admits(c); err != nil {
		return verified{}, err
	}
	p, acted, err := v.principal(c)
	return verified{
		principal: p, issued: token.IssuedAt, expires: token.Expiry, nonce: token.Nonce, party: c.party(token.Audience), acted: acted,
	}, err
}

// explain keeps the library's words for what the owner of the token can act on, and no others.
func explain(err error) error {
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) {
		return fmt.Errorf("%w: it is expired", ErrProof)
	}
	return fmt.Errorf("%w: it does not verify", ErrProof)
}

// unverifiedIssuer reads the "iss" claim, only to choose the verifier.
func unverifiedIssuer(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 {
		return "", fmt.Errorf("%w: it is not an ID token", ErrProof)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("%w: it is not an ID token", ErrProof)
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", fmt.Errorf("%w: it is not an ID token", ErrProof)
	}
	return c.Issuer, nil
}

// claims are a token's claims, undecoded.
type claims map[string]json.RawMessage

// checkTimes demands what the library takes as optional.
func (c claims) checkTimes(now time.Time) error {
	exp, ok := c.time("exp")
	if !ok || !now.Before(exp) {
		return fmt.Errorf("%w: it has no expiry, or is expired", ErrProof)
	}
	for _, name := range []string{"iat", "nbf"} {
		if _, given := c[name]; !given && name == "nbf" {
			continue
		}
		at, ok := c.time(name)
		if !ok || at.After(now.Add(leeway)) {
			return fmt.Errorf("%w: it is not valid yet (%s)", ErrProof, name)
		}
	}
	return nil
}

// party is the client that a token was issued to: "azp", or the only audience (OpenID Connect Core 1.0, section 2).
func (c claims) party(audience []string) string {
	if _, given := c["azp"]; given {
		party, _ := c.scalar("azp")
		return party
	}
	if len(audience) == 1 {
		return audience[0]
	}
	return ""
}

func (c claims) time(name string) (time.Time, bool) {
	var seconds float64
	if raw, ok := c[name]; !ok || json.Unmarshal(raw, &seconds) != nil || seconds <= 0 || seconds > 1<<33 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// scalar returns a string, boolean or number as text.
func (c claims) scalar(name string) (string, bool) {
	var v any
	raw, ok := c.raw(name)
	if !ok || json.Unmarshal(raw, &v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return string(raw), true
	}
	return "", false
}

// list returns a claim that is a string or a list of strings; an absent one is empty.
func (c claims) list(name string) ([]string, bool) {
	raw, ok := c[name]
	if !ok || string(raw) == "null" {
		return nil, true
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, true
	}
	var many []string
	return many, json.Unmarshal(raw, &many) == nil
}

func (v *verifier) principal(c claims) (p policy.Principal, acted bool, err error) {
	email, verifiedEmail := c.email()
	name, err := v.name(c, email, verifiedEmail)
	if err != nil {
		return policy.Principal{}, false, err
	}
	kind, err := v.kind(c)
	if err != nil {
		return policy.Principal{}, false, err
	}
	groups, err := v.groups(c)
	if err != nil {
		return policy.Principal{}, false, err
	}
	p = policy.Principal{Kind: kind, ID: name, Name: name, Issuer: v.issuer.URL, Groups: groups}
	if verifiedEmail {
		p.Email = email
	}
	for _, claim := range v.issuer.AttributeClaims {
		if value, ok := c.scalar(claim); ok {
			if p.Attrs == nil {
				p.Attrs = map[string]string{}
			}
			p.Attrs[claim] = value
		}
	}
	return v.delegated(c, p)
}

func (c claims) email() (string, bool) {
	email, _ := c.scalar("email")
	flag, _ := c.scalar("email_verified")
	return email, email != "" && flag == "true"
}

// name is the configured claim with the issuer's prefix. An e-mail address that the issuer says it did not verify is
// nobody's name.
func (v *verifier) name(c claims, email string, verifiedEmail bool) (string, error) {
	claim := v.issuer.PrincipalClaim
	if claim == "" {
		claim = "sub"
		if verifiedEmail {
			claim = "email"
		}
	}
	value, ok := c.scalar(claim)
	if flag, given := c.scalar("email_verified"); claim == "email" && given && flag != "true" {
		return "", fmt.Errorf("%w: its e-mail address is not verified", ErrProof)
	}
	if claim == "email" {
		value = strings.ToLower(value)
	}
	name := v.issuer.NamePrefix + value
	if !ok || value == "" || !validName(name) {
		return "", fmt.Errorf("%w: its claim %q does not name a principal", ErrProof, claim)
	}
	return name, nil
}

func validName(name string) bool {
	return len(name) <= maxName && utf8.ValidString(name) && strings.TrimSpace(name) == name && name != "" &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) })
}

func (v *verifier) kind(c claims) (string, error) {
	kind := v.issuer.Kind
	if v.issuer.KindClaim != "" {
		if value, ok := c.scalar(v.issuer.KindClaim); ok {
			kind = value
		}
	}
	if !validKind(kind) {
		return "", fmt.Errorf("%w: its claim %q is not person, agent, job or service", ErrProof, v.issuer.KindClaim)
	}
	return kind, nil
}

func (v *verifier) groups(c claims) ([]string, error) {
	given, ok := c.list(v.issuer.GroupsClaim)
	if !ok || len(given) > maxGroups {
		return nil, fmt.Errorf("%w: its claim %q is not a list of groups", ErrProof, v.issuer.GroupsClaim)
	}
	groups := slices.Concat(v.issuer.Groups, given, v.issuer.ruled(c))
	for _, g := range groups {
		if !validName(g) {
			return nil, fmt.Errorf("%w: its claim %q holds %q, which is no group", ErrProof, v.issuer.GroupsClaim, g)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}
