package pgtunnel

import (
	"encoding/binary"
	"sync"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// keyring knows at which edge each session's cancel key is good.
type keyring struct {
	mu   sync.Mutex
	keys map[string]place
}

type place struct {
	endpoint string
	token    Token
}

func keyName(process uint32, secret []byte) string {
	return string(append(binary.BigEndian.AppendUint32(nil, process), secret...))
}

func (k *keyring) add(name string, p place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = make(map[string]place)
	}
	k.keys[name] = p
}

func (k *keyring) remove(name string) {
	k.mu.Lock()
	delete(k.keys, name)
	k.mu.Unlock()
}

func (k *keyring) find(m *pgwire.CancelRequest) (endpoint string, tok Token, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.keys[keyName(m.ProcessID, m.SecretKey)]
	return p.endpoint, p.token, ok
}
