package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-jose/go-jose/v4"
)

// checkKeys refuses settings of keys that cannot work, and a file that cannot be used.
func (is Issuer) checkKeys() error {
	switch {
	case is.JWKSFile != "" && is.JWKSURL != "":
		return errors.New("jwks_file and jwks_url: give one")
	case (is.JWKSFile != "" || is.JWKSURL != "") && is.Browser.ID != "":
		return errors.New("jwks_file and jwks_url: an issuer that people sign in at has a discovery document; leave them out")
	case is.JWKSURL != "" && !secureAddress(is.JWKSURL):
		return errors.New("jwks_url: not an https address")
	case is.JWKSFile != "":
		_, err := readKeys(is.JWKSFile)
		return err
	}
	return nil
}

// readKeys reads a JWK set (RFC 7517, section 5) of public keys, at most 1 MiB.
func readKeys(path string) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	f, err := os.Open(path)
	if err != nil {
		return set, fmt.Errorf("jwks_file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return set, fmt.Errorf("jwks_file: %w", err)
	}
	if len(data) > maxDocument || json.Unmarshal(data, &set) != nil || len(set.Keys) == 0 {
		return set, fmt.Errorf("jwks_file: %s is not a JWK set", path)
	}
	for _, k := range set.Keys {
		if !k.IsPublic() {
			return jose.JSONWebKeySet{}, fmt.Errorf("jwks_file: %s holds a secret or private key; only public ones belong there", path)
		}
	}
	return set, nil
}
