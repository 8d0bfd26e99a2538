package api

import (
	"encoding/base64"

	"github.com/writhq/writ/controlplane/internal/store"
)

// sealPage makes the token of the page that begins after a place; no place, no token.
func sealPage(after string) string { return base64.RawURLEncoding.EncodeToString([]byte(after)) }

// openPage returns the place in a page token, or store.ErrPage. Whoever it is for checks its form: it may be anything.
func openPage(token string) (after string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", store.ErrPage
	}
	return string(b), nil
}
