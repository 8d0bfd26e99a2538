// Package auditlog keeps records where they outlive every replica and edge: as
// blocks in an object store, a local folder or S3. What it says is stored is
// durable, and nothing that is stored is ever changed.
package auditlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"
)

var (
	// ErrExists: there is an object with that key; it was left as it is.
	ErrExists = errors.New("object exists")
	// ErrNotFound: there is no object with that key.
	ErrNotFound = errors.New("object not found")
	// ErrStorage: the object store cannot be read or written now.
	ErrStorage = errors.New("record storage unavailable")
	errKey     = errors.New("invalid object key")
)

// MaxObject is the largest object in bytes.
const MaxObject = 4 << 20

// ObjectStore keeps immutable objects. Keys are slash-separated parts of
// letters, digits and "._-". All methods may be called concurrently.
type ObjectStore interface {
	// Put writes a new object. When it returns nil, the object is whole and
	// durable; ErrExists means that there was one, which stays.
	Put(ctx context.Context, key string, data []byte) error
	// Get returns an object, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// List yields the keys of the objects directly in a folder, ascending.
	List(ctx context.Context, folder string) iter.Seq2[string, error]
	// Folders returns the names of the folders directly in a folder, ascending.
	Folders(ctx context.Context, folder string) ([]string, error)
}

var keyPart = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,249}$`)

// checkKey accepts what is a plain relative path on every system.
func checkKey(key string) error {
	for part := range strings.SplitSeq(key, "/") {
		if !keyPart.MatchString(part) {
			return fmt.Errorf("%w: %.100q", errKey, key)
		}
	}
	return nil
}
