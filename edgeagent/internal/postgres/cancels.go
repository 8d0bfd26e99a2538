package postgres

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"sync"
)

// cancels maps the keys that clients got to their sessions. The keys are the gateway's
// own: a client never learns the target's.
type cancels struct {
	mu    sync.Mutex
	byPID map[uint32]*cancelEntry
}

type cancelEntry struct {
	key []byte
	p   *proxy
}

// register returns the process id and the secret key for a session. keyLen is 4 under
// protocol 3.0 and 32 under 3.2.
func (c *cancels) register(p *proxy, keyLen int) (pid uint32, key []byte, err error) {
	key = make([]byte, keyLen)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byPID == nil {
		c.byPID = map[uint32]*cancelEntry{}
	}
	for range 100 {
		var raw [4]byte
		if _, err := rand.Read(raw[:]); err != nil {
			return 0, nil, err
		}
		pid = binary.BigEndian.Uint32(raw[:]) & 0x7fffffff
		if pid == 0 || c.byPID[pid] != nil {
			continue
		}
		if _, err := rand.Read(key); err != nil {
			return 0, nil, err
		}
		c.byPID[pid] = &cancelEntry{key: key, p: p}
		return pid, key, nil
	}
	return 0, nil, errors.New("no free cancel key")
}

func (c *cancels) remove(pid uint32) {
	c.mu.Lock()
	delete(c.byPID, pid)
	c.mu.Unlock()
}

// cancel stops what the session with that key runs. A wrong key does nothing and is not
// answered, as with the server.
func (c *cancels) cancel(ctx context.Context, pid uint32, key []byte) {
	c.mu.Lock()
	e := c.byPID[pid]
	c.mu.Unlock()
	if e != nil && subtle.ConstantTimeCompare(e.key, key) == 1 {
		e.p.cancel(ctx)
	}
}
