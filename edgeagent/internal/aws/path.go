package aws

import (
	"encoding/json"
	"errors"
	"strings"
)

// step is one part of the path to a member of an answer: a name, or with each every element of a list or value of a map.
type step struct {
	name string
	each bool
}

var errPath = errors.New("path not understood")

// modelPath reads a path as pkg/awsmodel writes them: "Item{}.S", "Reservations[].Instances[]".
func modelPath(text string) (steps []step) {
	for part := range strings.SplitSeq(text, ".") {
		base := strings.TrimRight(part, "[]{}")
		if base != "" {
			steps = append(steps, step{name: base})
		}
		for range (len(part) - len(base)) / 2 {
			steps = append(steps, step{each: true})
		}
	}
	return steps
}

// classPath reads a path as classes of resources are written: "Item.*", "Reservations[*].Instances[*]", `Tags["a.b"]`.
func classPath(text string) (steps []step, err error) {
	for rest := strings.TrimSuffix(text, "|base64"); rest != ""; {
		switch {
		case strings.HasPrefix(rest, "[*]"):
			steps, rest = append(steps, step{each: true}), rest[3:]
		case strings.HasPrefix(rest, `["`):
			end := strings.Index(rest, `"]`)
			var name string
			if end < 0 || json.Unmarshal([]byte(rest[1:end+1]), &name) != nil {
				return nil, errPath
			}
			steps, rest = append(steps, step{name: name}), rest[end+2:]
		default:
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, errPath
			}
			steps, rest = append(steps, step{name: rest[:end], each: rest[:end] == "*"}), rest[end:]
		}
	}
	if len(steps) == 0 {
		return nil, errPath
	}
	return steps, nil
}
