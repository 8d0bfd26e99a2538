package main

import (
	"context"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// device is one device authorization (RFC 8628).
type device struct {
	userCode string
	state    op.DeviceAuthorizationState
}

// StoreDeviceAuthorization implements op.DeviceAuthorizationStorage, as does the next.
func (s *storage) StoreDeviceAuthorization(_ context.Context, client, deviceCode, userCode string, expires time.Time, scopes []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.userCode == userCode {
			return op.ErrDuplicateUserCode
		}
	}
	s.devices[deviceCode] = &device{userCode: userCode, state: op.DeviceAuthorizationState{ClientID: client, Scopes: scopes, Expires: expires}}
	return nil
}

func (s *storage) GetDeviceAuthorizatonState(_ context.Context, client, deviceCode string) (*op.DeviceAuthorizationState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.devices[deviceCode]
	if !ok || d.state.ClientID != client {
		return nil, errUnknown
	}
	state := d.state
	if state.Done {
		delete(s.devices, deviceCode) // a code is good once
	}
	return &state, nil
}

// decide ends a device authorization for a user.
func (s *storage) decide(userCode, name string, allowed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.userCode != userCode {
			continue
		}
		d.state.Done, d.state.Denied = allowed, !allowed
		d.state.Subject, d.state.AuthTime = name, time.Now()
		return nil
	}
	return errUnknown
}
