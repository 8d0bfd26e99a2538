package merklelog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrCheckpoint is a checkpoint that is malformed, of another log, or not signed with the key that is trusted.
var ErrCheckpoint = errors.New("checkpoint not accepted")

// Checkpoint commits to a whole log: no entry before Size can be another one without Root being another.
type Checkpoint struct {
	Origin string // names the log
	Size   int64
	Root   Hash
}

// text is the form that C2SP's tlog-checkpoint gives it.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// Sign returns the checkpoint as a signed note. The signers' names should be Origin.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	if c.Origin == "" || strings.ContainsAny(c.Origin, "\n+ ") || c.Size < 0 || c.Size > maxSize {
		return nil, fmt.Errorf("%w: origin %.80q, size %d", ErrCheckpoint, c.Origin, c.Size)
	}
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, nil
}

// maxCheckpoint bounds a signed checkpoint, in bytes; witnesses add signatures.
const maxCheckpoint = 64 << 10

// OpenCheckpoint reads a checkpoint that is signed with log's key and by every one of the witnesses. Lines behind the third are for
// others and are not read. It fails with ErrCheckpoint.
func OpenCheckpoint(signed []byte, log note.Verifier, witnesses ...note.Verifier) (Checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	n, err := note.Open(signed, note.VerifierList(append([]note.Verifier{log}, witnesses...)...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	for _, v := range append([]note.Verifier{log}, witnesses...) {
		if !signedBy(n, v) {
			return Checkpoint{}, fmt.Errorf("%w: not signed by %s", ErrCheckpoint, v.Name())
		}
	}
	c, err := parseCheckpoint(n.Text)
	if err == nil && c.Origin != log.Name() {
		err = fmt.Errorf("%w: it is of the log %.80q, not of %s", ErrCheckpoint, c.Origin, log.Name())
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

func signedBy(n *note.Note, v note.Verifier) bool {
	for _, s := range n.Sigs {
		if s.Name == v.Name() && s.Hash == v.KeyHash() {
			return true
		}
	}
	return false
}

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, fmt.Errorf("%w: it wants three lines", ErrCheckpoint)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > maxSize || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%w: size %.40q", ErrCheckpoint, lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: root hash %.80q", ErrCheckpoint, lines[2])
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}
