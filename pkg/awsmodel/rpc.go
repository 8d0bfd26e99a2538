package awsmodel

import (
	"mime"
	"strings"
)

func (a *api) operation(name string, p Protocol, in input) (Call, error) {
	op, ok := a.byName[name]
	if !ok {
		return Call{}, refuse(ErrOperation, "operation", "the service has none of this name", "")
	}
	return newCall(a, op, p, in), nil
}

// root refuses all but a POST to "/" without parameters.
func root(r Request, in input) error {
	if r.Method != "POST" {
		return refuse(ErrProtocol, "method", "operations of this protocol are POSTs", "")
	}
	if r.Path != "/" && r.Path != "" {
		return refuse(ErrPath, "path", "operations of this protocol are sent to /", "")
	}
	if len(in.query) > 0 {
		return refuse(ErrQuery, "query parameter "+in.query[0].name, "operations of this protocol take none", "")
	}
	return nil
}

func (a *api) identifyJSON(r Request, in input) (Call, error) {
	if err := root(r, in); err != nil {
		return Call{}, err
	}
	target := r.Header["X-Amz-Target"]
	if len(target) != 1 {
		return Call{}, refuse(ErrProtocol, "header X-Amz-Target", "it stands there twice", "")
	}
	if t := mediaType(r); t != "application/x-amz-json-1.0" && t != "application/x-amz-json-1.1" {
		return Call{}, refuse(ErrProtocol, "header Content-Type", "it is not that of the protocol", "send application/x-amz-json-1.0 or -1.1")
	}
	name, ok := strings.CutPrefix(target[0], a.Target+".")
	if !ok || a.Target == "" {
		return Call{}, refuse(ErrOperation, "header X-Amz-Target", "it is of another service", "")
	}
	in.path = "/"
	return a.operation(name, JSON, in)
}

// identifyCBOR reads the path of rpc-v2-cbor: /service/NAME/operation/NAME, after whatever stands before.
func (a *api) identifyCBOR(r Request, in input) (Call, error) {
	if v := r.Header["Smithy-Protocol"]; len(v) != 1 || v[0] != "rpc-v2-cbor" {
		return Call{}, refuse(ErrProtocol, "header Smithy-Protocol", "it is not rpc-v2-cbor", "")
	}
	if r.Method != "POST" || len(in.query) > 0 {
		return Call{}, refuse(ErrProtocol, "request", "operations of this protocol are POSTs without parameters", "")
	}
	if t := mediaType(r); t != "application/cbor" && t != "" {
		return Call{}, refuse(ErrProtocol, "header Content-Type", "it is not that of the protocol", "send application/cbor")
	}
	rest, ok := strings.CutPrefix(r.Path, "/service/")
	service, name, ok2 := strings.Cut(rest, "/operation/")
	if !ok || !ok2 {
		return Call{}, refuse(ErrPath, "path", "it is not that of the protocol", "")
	}
	if service != a.Target {
		return Call{}, refuse(ErrOperation, "path", "it is of another service", "")
	}
	in.path = r.Path
	return a.operation(name, CBOR, in)
}

// identifyForm reads Action and Version, from the body of a POST or the query of a GET.
func (a *api) identifyForm(r Request, in input, p Protocol) (Call, error) {
	if r.Path != "/" && r.Path != "" {
		return Call{}, refuse(ErrPath, "path", "operations of this protocol are sent to /", "")
	}
	body, err := readBody(r)
	if err != nil {
		return Call{}, err
	}
	switch r.Method {
	case "POST":
		if len(in.query) > 0 {
			return Call{}, refuse(ErrQuery, "query parameter "+in.query[0].name, "parameters stand in the body", "")
		}
		if t := mediaType(r); t != "application/x-www-form-urlencoded" {
			return Call{}, refuse(ErrProtocol, "header Content-Type", "it is not that of the protocol", "send application/x-www-form-urlencoded")
		}
		if in.form, err = parsePairs(string(body), true); err != nil {
			return Call{}, err
		}
	case "GET":
		if len(body) > 0 {
			return Call{}, refuse(ErrBody, "body", "a GET has none", "")
		}
		in.form, in.query = in.query, nil
	default:
		return Call{}, refuse(ErrProtocol, "method", "operations of this protocol are POSTs or GETs", "")
	}
	in.path = "/"
	return a.action(in, p)
}

func (a *api) action(in input, p Protocol) (Call, error) {
	seen := make(map[string]bool, len(in.form))
	var action, version string
	for _, f := range in.form {
		if seen[f.name] {
			return Call{}, refuse(ErrBody, "parameter "+clip(f.name), "it stands there twice", "")
		}
		seen[f.name] = true
		switch f.name {
		case "Action":
			action = f.value
		case "Version":
			version = f.value
		}
	}
	if action == "" {
		return Call{}, refuse(ErrOperation, "parameter Action", "it is missing", "")
	}
	if version != a.Version {
		return Call{}, refuse(ErrOperation, "parameter Version", "it is not that of the model", "send Version="+a.Version)
	}
	return a.operation(action, p, in)
}

// readBody reads a body that is at most MaxBody, and refuses one that is compressed.
func readBody(r Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	b, err := r.Body()
	if err != nil {
		return nil, err
	}
	if len(b) > 0 && len(r.Header["Content-Encoding"]) > 0 {
		return nil, refuse(ErrBody, "header Content-Encoding", "compressed bodies are not read", "send it as it is")
	}
	if len(b) > MaxBody {
		return nil, refuse(ErrTooLarge, "body", "it is too large", "")
	}
	return b, nil
}

// mediaType is that of the body, or "?" when the header is malformed or repeated.
func mediaType(r Request) string {
	v := r.Header["Content-Type"]
	switch len(v) {
	case 0:
		return ""
	case 1:
		switch v[0] {
		case "application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json", "application/cbor", "application/x-www-form-urlencoded":
			return v[0]
		case "application/x-www-form-urlencoded; charset=utf-8":
			return "application/x-www-form-urlencoded"
		}
		if v[0] == "" {
			return v[0]
		}
		t, params, err := mime.ParseMediaType(v[0])
		if c, ok := params["charset"]; err != nil || ok && !strings.EqualFold(c, "utf-8") {
			return "?"
		}
		return t
	}
	return "?"
}

// maxPathShown is how much is shown of a name from a request, in bytes.
const maxPathShown = 64

// clip bounds a name from a request in an error.
func clip(s string) string {
	if len(s) > maxPathShown {
		return s[:maxPathShown]
	}
	return s
}
