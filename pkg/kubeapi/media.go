package kubeapi

import (
	"mime"
	"strings"
)

// Patch is how a patch is to be read.
type Patch int

// The kinds of patches.
const (
	NoPatch Patch = iota
	JSONPatch
	MergePatch
	StrategicMergePatch
	ApplyPatch // server-side apply, which creates what does not exist
)

// The media types that are read.
const (
	typeJSON      = "application/json"
	typeYAML      = "application/yaml"
	typeProtobuf  = "application/vnd.kubernetes.protobuf"
	typeJSONPatch = "application/json-patch+json"
	typeMerge     = "application/merge-patch+json"
	typeStrategic = "application/strategic-merge-patch+json"
	typeApply     = "application/apply-patch+yaml"
)

// readMediaType returns the bare media type of a body. None is JSON, except for patches.
func readMediaType(r Request, contentType string) (string, Patch, error) {
	if contentType == "" && r.Verb != "patch" {
		return typeJSON, NoPatch, nil
	}
	bare, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", NoPatch, badType("malformed")
	}
	for name, value := range parameters {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return "", NoPatch, badType("a parameter other than charset=utf-8")
		}
	}
	if r.Verb != "patch" {
		if bare != typeJSON && bare != typeYAML && bare != typeProtobuf {
			return "", NoPatch, badType("cannot be read here")
		}
		return bare, NoPatch, nil
	}
	switch bare {
	case typeJSONPatch:
		return bare, JSONPatch, nil
	case typeMerge:
		return bare, MergePatch, nil
	case typeStrategic:
		return bare, StrategicMergePatch, nil
	case typeApply:
		return bare, ApplyPatch, nil
	}
	return "", NoPatch, badType("no patch that can be read here")
}

func badType(why string) error {
	return refuse(ErrMediaType, "header Content-Type", why, "send JSON or YAML")
}
