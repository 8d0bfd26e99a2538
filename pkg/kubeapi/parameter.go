package kubeapi

import (
	"maps"
	"strconv"
)

// parameter is how the values of a query parameter are checked.
type parameter int

const (
	text   parameter = iota // one value, any text
	flag                    // one value, read by [boolean]
	number                  // one value, a decimal number that fits 64 bits
	labels                  // one value, a label selector
	fields                  // one value, a field selector
	dryRun                  // All, once or more
	list                    // any number of values
)

// The parameters that the API server and its clients know, by what they are sent with.
var (
	forAll  = params{"pretty": text, "timeout": text}
	forRead = params{"resourceVersion": text, "includeObject": text}
	// Of a watch by the deprecated prefix, for which the server does not heed selectors in the same way everywhere.
	forWatch = params{
		"allowWatchBookmarks": flag, "resourceVersion": text, "resourceVersionMatch": text, "timeoutSeconds": number,
		"includeObject": text,
	}
	forSelect = params{
		"labelSelector": labels, "fieldSelector": fields, "resourceVersion": text, "resourceVersionMatch": text,
		"timeoutSeconds": number, "limit": number, "continue": text,
	}
	forList   = params{"watch": flag, "allowWatchBookmarks": flag, "sendInitialEvents": flag, "includeObject": text}
	forWrite  = params{"dryRun": dryRun, "fieldManager": text, "fieldValidation": text}
	forPatch  = params{"force": flag}
	forDelete = params{
		"dryRun": dryRun, "gracePeriodSeconds": number, "orphanDependents": flag, "propagationPolicy": text,
		"uid": text, "resourceVersion": text, "ignoreStoreReadErrorWithClusterBreakingPotential": flag,
	}
	forLog = params{
		"container": text, "follow": flag, "previous": flag, "sinceSeconds": number, "sinceTime": text, "timestamps": flag,
		"tailLines": number, "limitBytes": number, "insecureSkipTLSVerifyBackend": flag, "stream": text,
	}
	forAttach = params{"container": text, "stdin": flag, "stdout": flag, "stderr": flag, "tty": flag}
	forExec   = params{"command": list}
	forPorts  = params{"ports": list}
	// Of health checks, OpenAPI, profiles and the flow control's dumps.
	forPlain = params{"verbose": text, "exclude": list, "hash": text, "seconds": number, "debug": number, "includeRequestDetails": text}
)

type params map[string]parameter

func union(sets ...params) params {
	all := params{}
	for _, s := range sets {
		maps.Copy(all, s)
	}
	return all
}

// parameters returns those that this request may have. A watch is still a list here, unless its path says so.
func (r *Request) parameters() params {
	if !r.IsResource {
		return union(forAll, forPlain)
	}
	if r.Group == "" && r.Resource == "pods" {
		switch r.Subresource {
		case "log":
			return union(forAll, forLog)
		case "exec":
			return union(forAll, forAttach, forExec)
		case "attach":
			return union(forAll, forAttach)
		case "portforward":
			return union(forAll, forPorts)
		}
	}
	switch r.Verb {
	case "get":
		return union(forAll, forRead)
	case "list":
		return union(forAll, forSelect, forList)
	case "watch":
		return union(forAll, forWatch)
	case "create", "update":
		return union(forAll, forWrite)
	case "patch":
		return union(forAll, forWrite, forPatch)
	case "delete":
		return union(forAll, forDelete)
	case "deletecollection":
		return union(forAll, forSelect, forDelete)
	}
	return nil
}

// check returns the values without repeats, or says what is wrong with them.
func (p parameter) check(name string, values []string) ([]string, error) {
	part := "query parameter " + name
	for _, v := range values {
		if p != list && v != values[0] {
			return nil, refuse(ErrQuery, part, "given twice with different values", "give it once")
		}
		if p != list && !printable(v) {
			return nil, refuse(ErrQuery, part, "not printable UTF-8 text", "")
		}
	}
	if p == list {
		return values, checkText(map[string][]string{name: values})
	}
	return values[:1], p.checkValue(part, values[0])
}

func (p parameter) checkValue(part, value string) error {
	switch p {
	case number:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return refuse(ErrQuery, part, "no decimal number", "")
		}
	case dryRun:
		if value != "All" {
			return refuse(ErrQuery, part, "unknown value", "All is the only one")
		}
	case labels:
		return checkLabels(part, value)
	case fields:
		_, _, err := selectedName(value)
		return err
	}
	return nil
}
