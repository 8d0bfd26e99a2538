package upstream

import "fmt"

const redacted = "[redacted]"

// Secret is a credential. Every way to print it gives a placeholder, and it can be
// wiped.
type Secret []byte

// Format prints the placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns the placeholder.
func (s Secret) String() string { return redacted }

// MarshalText returns the placeholder, and so does JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Wipe overwrites the secret with zeros.
func (s Secret) Wipe() { clear(s) }
