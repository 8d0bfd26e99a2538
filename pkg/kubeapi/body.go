package kubeapi

import "fmt"

// MaxBody is how large a body the API server reads, in bytes: MaxRequestBodyBytes in
// k8s.io/apiserver/pkg/server/config.go.
const MaxBody = 3 << 20

// Body is what a write carries.
type Body struct {
	// JSON is what to forward: the bytes that were sent where they are JSON, and YAML and protobuf turned into JSON. For a
	// request that [Request.Proxies] it is the body, whatever it is.
	JSON []byte
	// ContentType is what to forward it as; "" without a body.
	ContentType string
	// Patch says how a patch is to be read.
	Patch Patch

	// What the object calls itself, as far as the body says so. Name and Namespace do not contradict the path.
	Kind, APIVersion, Namespace, Name, GenerateName string
	// ResourceVersion is that of the stored object that the body replaces; an object cannot be made with one.
	ResourceVersion string
	// Labels are those that the body sets.
	Labels map[string]string

	// DryRun says that nothing is to be stored: in the query, or in the options that are the body of a delete.
	DryRun bool
	// Facts say what the body is about.
	Facts Facts
	// Reads are JSON pointers to stored values that a JSON patch tells of: those of test, and the from of copy and move.
	Reads []string
}

// ReadBody reads the body of a request, of at most limit bytes; zero means [MaxBody]. An error is an [Error] with
// [ErrMediaType], [ErrTooLarge] or [ErrBody].
func ReadBody(r Request, contentType string, body []byte, limit int) (Body, error) {
	if limit <= 0 {
		limit = MaxBody
	}
	if len(body) > limit {
		return Body{}, refuse(ErrTooLarge, "body", fmt.Sprintf("over %d bytes", limit), "")
	}
	b := Body{DryRun: r.DryRun}
	if r.Proxies() {
		b.JSON, b.ContentType, b.Facts = body, contentType, unknown()
		return b, nil
	}
	if len(body) == 0 {
		return b, b.checkEmpty(r)
	}
	if !r.Writes() || r.Streams() {
		return Body{}, refuse(ErrBody, "body", r.what()+" has none", "send no body")
	}
	if err := b.read(r, contentType, body); err != nil {
		return Body{}, err
	}
	if len(b.JSON) > limit {
		return Body{}, refuse(ErrTooLarge, "body", fmt.Sprintf("over %d bytes as JSON", limit), "")
	}
	return b, nil
}

func (b *Body) checkEmpty(r Request) error {
	b.Facts = Facts{Known: true}
	if (r.Verb == "create" || r.Verb == "update" || r.Verb == "patch") && !r.Streams() {
		*b = Body{}
		return refuse(ErrBody, "body", "missing", r.what()+" needs one")
	}
	return nil
}

func (b *Body) read(r Request, contentType string, body []byte) error {
	media, patch, err := readMediaType(r, contentType)
	if err != nil {
		return err
	}
	b.Patch, b.ContentType, b.JSON = patch, media, body
	doc, err := b.decode(media, body)
	if err != nil {
		return err
	}
	switch {
	case patch == JSONPatch:
		return b.readOperations(r, doc)
	case r.Verb == "delete" || r.Verb == "deletecollection":
		return b.readDelete(r, doc)
	}
	return b.readObject(r, doc)
}

// decode reads the document, and turns what is no JSON into it.
func (b *Body) decode(media string, body []byte) (any, error) {
	var err error
	switch media {
	case typeProtobuf:
		body, err = fromProtobuf(body)
	case typeYAML, typeApply:
		body, err = fromYAML(body)
	default:
		return decode(body)
	}
	if err != nil {
		return nil, err
	}
	if media != typeApply {
		b.ContentType = typeJSON
	}
	doc, err := decode(body)
	if err != nil {
		return nil, err
	}
	b.JSON, err = encode(doc)
	return doc, err
}

func (b *Body) readObject(r Request, doc any) error {
	o, ok := doc.(map[string]any)
	if !ok {
		return badBody("no object")
	}
	if err := b.readMeta(r, o); err != nil {
		return err
	}
	w := newWalk(r, b.Patch)
	w.value(nil, o)
	b.Facts = w.facts()
	return nil
}
