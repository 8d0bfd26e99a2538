// Package merklelog is the append-only Merkle log over what is stored of records: one entry for each object, hashed into the tree of RFC
// 6962, laid out in tiles as C2SP's tlog-tiles describes, and signed as C2SP's checkpoints are. Who has a checkpoint that somebody else
// kept, and the public key, can tell from a copy of the store whether anything was changed, dropped or rolled back. It is pure.
package merklelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/writhq/writ/pkg/audit"
)

// Hash is that of a leaf or of a tree: SHA-256 as RFC 6962 has it.
type Hash = tlog.Hash

// Kind says what an entry is about.
type Kind string

const (
	// Block is an object with records, which was stored.
	Block Kind = "block"
	// Retired says that a block was taken away when its time was over. It repeats what the block's own entry says.
	Retired Kind = "retired"
)

// Entry is one leaf of the log.
type Entry struct {
	Kind        Kind
	Key         string // of the object
	SHA256      [sha256.Size]byte
	Bytes       int64
	Records     int
	First, Last audit.RecordID // the least and the greatest
}

// ErrEntry is an entry that is not exactly as this package writes it.
var ErrEntry = errors.New("malformed log entry")

// MaxEntry bounds an encoded entry, in bytes: the layout's own limit.
const MaxEntry = 1<<16 - 1

// entryJSON has the members in the order in which they are written.
type entryJSON struct {
	Kind    Kind           `json:"kind"`
	Key     string         `json:"key"`
	SHA256  string         `json:"sha256"`
	Bytes   int64          `json:"bytes"`
	Records int            `json:"records"`
	First   audit.RecordID `json:"first"`
	Last    audit.RecordID `json:"last"`
}

// Encode returns the entry's only form: JSON without blanks, its members in a fixed order. It fails with ErrEntry.
func (e Entry) Encode() ([]byte, error) {
	switch {
	case e.Kind != Block && e.Kind != Retired:
		return nil, fmt.Errorf("%w: kind %.40q", ErrEntry, e.Kind)
	case !validKey(e.Key):
		return nil, fmt.Errorf("%w: key %.100q", ErrEntry, e.Key)
	case e.Bytes <= 0 || e.Records <= 0:
		return nil, fmt.Errorf("%w: %s: %d bytes, %d records", ErrEntry, e.Key, e.Bytes, e.Records)
	case e.First.IsZero() || bytes.Compare(e.First[:], e.Last[:]) > 0:
		return nil, fmt.Errorf("%w: %s: records from %s to %s", ErrEntry, e.Key, e.First, e.Last)
	}
	return json.Marshal(entryJSON{e.Kind, e.Key, hex.EncodeToString(e.SHA256[:]), e.Bytes, e.Records, e.First, e.Last})
}

// maxKey bounds an object's key, in bytes.
const maxKey = 1024

// validKey accepts what is a plain relative path on every system: parts of letters, digits and "._-", none of which begins with a dot.
func validKey(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' || strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			return false
		}
	}
	return len(key) <= maxKey
}

// DecodeEntry reads what Encode wrote, and nothing else. It fails with ErrEntry.
func DecodeEntry(b []byte) (Entry, error) {
	var j entryJSON
	if len(b) > MaxEntry || json.Unmarshal(b, &j) != nil {
		return Entry{}, fmt.Errorf("%w: %.100q", ErrEntry, b)
	}
	e := Entry{Kind: j.Kind, Key: j.Key, Bytes: j.Bytes, Records: j.Records, First: j.First, Last: j.Last}
	if n, err := hex.Decode(e.SHA256[:], []byte(j.SHA256[:min(len(j.SHA256), 2*sha256.Size)])); err != nil || n != sha256.Size {
		return Entry{}, fmt.Errorf("%w: %.100q", ErrEntry, b)
	}
	if again, err := e.Encode(); err != nil || !bytes.Equal(again, b) {
		return Entry{}, fmt.Errorf("%w: %.100q", ErrEntry, b)
	}
	return e, nil
}

// LeafHash is the hash of an encoded entry.
func LeafHash(entry []byte) Hash { return tlog.RecordHash(entry) }
