package store

import (
	"fmt"
	"strings"
)

// MaxKey is the longest key in bytes, without the store's prefix and the
// collection's name.
const MaxKey = 512

// Key joins parts with slashes and percent-encodes in each what a key may not
// hold, so that different parts always give different keys.
func Key(parts ...string) string {
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('/')
		}
		escapePart(&b, part)
	}
	return b.String()
}

func escapePart(b *strings.Builder, part string) {
	dots := part == "." || part == ".."
	for i := 0; i < len(part); i++ {
		c := part[i]
		if c == '%' || !keyByte(c) || dots {
			fmt.Fprintf(b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
}

func keyByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("._@:+=~-%", c) >= 0
}

// checkKey accepts one or more non-empty parts divided by slashes.
func checkKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrKey, len(key), MaxKey)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%w: %q has an empty or dotted part", ErrKey, key)
		}
	}
	return checkBytes(key)
}

// checkKeyPrefix accepts any start of a key, also the empty one.
func checkKeyPrefix(prefix string) error {
	if len(prefix) > MaxKey {
		return fmt.Errorf("%w: prefix of %d bytes", ErrKey, len(prefix))
	}
	return checkBytes(prefix)
}

func checkBytes(key string) error {
	for i := 0; i < len(key); i++ {
		if key[i] != '/' && !keyByte(key[i]) {
			return fmt.Errorf("%w: %q has a byte %#02x at %d", ErrKey, key, key[i], i)
		}
	}
	return nil
}

func checkPrefix(prefix string) error {
	if len(prefix) < 2 || prefix[0] != '/' || prefix[len(prefix)-1] != '/' {
		return fmt.Errorf("store: prefix %q must begin and end with a slash", prefix)
	}
	if err := checkKey(prefix[1 : len(prefix)-1]); err != nil {
		return fmt.Errorf("store: prefix: %w", err)
	}
	return nil
}
