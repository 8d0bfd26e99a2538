package login

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// readClaims decodes a verified token's claims. A claim that is there twice, or under two cases of one name, means
// something else to every reader, and is refused.
func readClaims(token *oidc.IDToken) (claims, error) {
	var raw json.RawMessage
	var c claims
	if err := token.Claims(&raw); err != nil || json.Unmarshal(raw, &c) != nil {
		return nil, fmt.Errorf("%w: its claims cannot be read", ErrProof)
	}
	if err := uniqueMembers(raw); err != nil {
		return nil, fmt.Errorf("%w: it has a claim twice", ErrProof)
	}
	return c, nil
}

var errTwice = errors.New("a member is there twice")

// uniqueMembers refuses JSON in which an object has two members whose names differ in case at most.
func uniqueMembers(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // of the objects around; nil for an array
	name := false              // the next string is a member's name
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'):
			open, name = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open, name = append(open, nil), false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if key, ok := t.(string); name && ok {
				key = strings.ToLower(key)
				if open[len(open)-1][key] {
					return errTwice
				}
				open[len(open)-1][key], name = true, false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}
