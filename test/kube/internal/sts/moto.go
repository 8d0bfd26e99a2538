package sts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Moto finds the keys that a moto server has made, in what it tells of its state.
type Moto struct {
	URL    string
	Client *http.Client
}

// state is the part of /moto-api/data.json that is read here.
type state struct {
	STS struct {
		AssumedRole []struct {
			ID      string `json:"access_key_id"`
			Secret  string `json:"secret_access_key"`
			Token   string `json:"session_token"`
			ARN     string `json:"arn"`
			UserID  string `json:"user_id"`
			Account string `json:"account_id"`
		}
	}
}

// Key finds the key of a role that somebody has assumed.
func (m Moto) Key(ctx context.Context, id string) (Key, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL+"/moto-api/data.json", nil)
	if err != nil {
		return Key{}, err
	}
	resp, err := m.Client.Do(req)
	if err != nil {
		return Key{}, fmt.Errorf("ask moto for its keys: %w", err)
	}
	defer resp.Body.Close()
	var s state
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return Key{}, fmt.Errorf("read moto's keys: %w", err)
	}
	for _, r := range s.STS.AssumedRole {
		if r.ID == id {
			return Key{ID: r.ID, Secret: r.Secret, Token: r.Token, ARN: r.ARN, UserID: r.UserID, Account: r.Account}, nil
		}
	}
	return Key{}, fmt.Errorf("%w: no assumed role has the key", ErrDenied)
}
