package merklelog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrTree is a tree that cannot be: a number of hashes that does not fit its size.
var ErrTree = errors.New("malformed tree")

// maxSize bounds a tree, in leaves.
const maxSize = 1 << 48

// Tree is as much of a tree as is needed to add leaves to it: its size, and the roots of the perfect trees that make it up, the largest
// first. The zero Tree is empty.
type Tree struct {
	size  int64
	roots []Hash
}

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Append adds a leaf.
func (t *Tree) Append(leaf Hash) {
	t.roots = append(t.roots, leaf)
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.roots) - 1
		t.roots[last-1] = tlog.NodeHash(t.roots[last-1], t.roots[last])
		t.roots = t.roots[:last]
	}
	t.size++
}

// Root is the hash of the whole tree.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	root := t.roots[len(t.roots)-1]
	for _, left := range slices.Backward(t.roots[:len(t.roots)-1]) {
		root = tlog.NodeHash(left, root)
	}
	return root
}

// Clone returns a tree of its own.
func (t *Tree) Clone() Tree { return Tree{t.size, slices.Clone(t.roots)} }

type treeJSON struct {
	Size  int64    `json:"size"`
	Roots []string `json:"roots,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (t Tree) MarshalJSON() ([]byte, error) {
	j := treeJSON{Size: t.size}
	for _, h := range t.roots {
		j.Roots = append(j.Roots, base64.StdEncoding.EncodeToString(h[:]))
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements json.Unmarshaler. It fails with ErrTree.
func (t *Tree) UnmarshalJSON(b []byte) error {
	var j treeJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("%w: %w", ErrTree, err)
	}
	if j.Size < 0 || j.Size > maxSize || bits.OnesCount64(uint64(j.Size)) != len(j.Roots) {
		return fmt.Errorf("%w: %d leaves in %d trees", ErrTree, j.Size, len(j.Roots))
	}
	next := Tree{size: j.Size}
	for _, s := range j.Roots {
		h, err := tlog.ParseHash(s)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTree, err)
		}
		next.roots = append(next.roots, h)
	}
	*t = next
	return nil
}
