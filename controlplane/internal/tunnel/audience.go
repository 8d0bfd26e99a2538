package tunnel

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/writhq/writ/pkg/token"
)

// pasetoSignature is how many bytes of a v4.public payload are its signature
// (PASETO, docs/01-Protocol-Versions/Version4.md).
const pasetoSignature = 64

// claimedAudience reads for which resource an access token says it is. Nothing
// is verified: the answer is what the token must then be verified for.
func claimedAudience(access string) (string, error) {
	if len(access) > token.MaxLen {
		return "", token.ErrMalformed
	}
	parts := strings.Split(strings.TrimPrefix(access, token.Prefix), ".")
	if len(parts) != 4 {
		return "", token.ErrMalformed
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(payload) <= pasetoSignature {
		return "", token.ErrMalformed
	}
	var claims struct {
		Audience string `json:"aud"`
	}
	if json.Unmarshal(payload[:len(payload)-pasetoSignature], &claims) != nil || claims.Audience == "" {
		return "", token.ErrMalformed
	}
	return claims.Audience, nil
}

// resourceOf is the resource of an audience that was verified.
func resourceOf(audience string) (string, error) {
	name, ok := strings.CutPrefix(audience, token.ResourceAudience(""))
	if !ok || name == "" {
		return "", token.ErrAudience
	}
	return name, nil
}
