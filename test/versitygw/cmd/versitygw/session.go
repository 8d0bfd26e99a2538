package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"os"

	"github.com/versity/versitygw/auth"
)

// session is the one temporary key that is taken, and only together with its token, as STS gives them. It may do everything.
type session struct {
	auth.IAMServiceSingle
	key, secret, token string
}

func newSession() *session {
	return &session{key: os.Getenv("SESSION_ACCESS_KEY"), secret: os.Getenv("SESSION_SECRET_KEY"), token: os.Getenv("SESSION_TOKEN")}
}

func (s *session) account() auth.Account { return auth.Account{Access: s.key, Role: auth.RoleAdmin} }

// GetUserAccount implements auth.IAMService.
func (s *session) GetUserAccount(access string) (auth.Account, error) {
	if access != s.key {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return s.account(), nil
}

// DeriveSigningKey implements auth.SigningKeyProvider, which is where tokens are asked for.
func (s *session) DeriveSigningKey(access, token, date, region, service string) ([]byte, auth.Account, error) {
	if access != s.key {
		return nil, auth.Account{}, auth.ErrNoSuchUser
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	}
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{date, region, service, "aws4_request"} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return key, s.account(), nil
}
