package awsmodel

import (
	"slices"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// Limits, in bytes. What is over its limit is refused with ErrTooLarge.
const (
	MaxPath  = 8 << 10
	MaxQuery = 32 << 10
	MaxBody  = 16 << 20 // of what Members reads; the largest that AWS takes in a body that is no blob
)

// Protocol is how a request is written.
type Protocol = modelfile.Protocol

// The protocols. The zero value is none.
const (
	JSON     = modelfile.JSON
	RESTJSON = modelfile.RESTJSON
	Query    = modelfile.Query
	EC2      = modelfile.EC2
	RESTXML  = modelfile.RESTXML
	CBOR     = modelfile.CBOR
)

// Level is an IAM access level. The zero value is unknown.
type Level = modelfile.Level

// The access levels of the service authorization reference.
const (
	UnknownLevel = modelfile.UnknownLevel
	List         = modelfile.List
	Read         = modelfile.Read
	Write        = modelfile.Write
	Permissions  = modelfile.Permissions
	Tagging      = modelfile.Tagging
)

// Request is an HTTP request as it arrived.
type Request struct {
	Method string
	Path   string              // raw, as on the request line, without the query
	Query  string              // raw, without "?"
	Header map[string][]string // by canonical names, as net/http has them
	// Host is the name that a CONNECT asked for, without the port. "" means that the request came to the edge's own
	// endpoint, so that only the credential scope tells the service.
	Host string
	// Service and Region are the credential scope's. An empty Service is an unsigned request, which needs a Host.
	Service, Region string
	// Body returns the whole body. It is called only where the operation stands there: the protocols query and ec2. Nil
	// is an empty body.
	Body func() ([]byte, error)
}

// Call is an identified request. The zero value is no call.
type Call struct {
	Service   string // the model's id, such as ec2
	Operation string
	Protocol  Protocol
	// Prefix is that of the service's IAM actions, or "" when the authorization reference has no page for it.
	Prefix string
	// Siblings are services with the same operation, actions and wire form, from which it cannot be told: docdb for rds.
	Siblings []string
	// Region is the credential scope's, or that of the host of an unsigned request.
	Region string
	// HostPrefix is what the operation puts before the service's host, a template such as "{AccountId}.", or "".
	HostPrefix string
	// Path is where the operation stands upstream, as in path style for S3; Bucket is S3's, from the host or the path.
	Path   string
	Bucket string
	// Mutates says that the operation changes something, or is not known not to.
	Mutates bool
	// DryRun says that the operation takes DryRun.
	DryRun bool
	// NoAuth says that AWS takes the operation unsigned.
	NoAuth bool
	// InputEvents says that the body is a stream of events; such calls come with ErrUnsupported.
	InputEvents bool
	// OutputEvents and OutputBlob say that the answer is a stream of events, or a blob that streams.
	OutputEvents, OutputBlob bool
	// InputBlob says that the body is a blob that streams: Members reads none of it.
	InputBlob bool
	// Deprecated says that AWS calls the operation deprecated.
	Deprecated bool
	// Language is that of a text in the call which decides what it does, such as "partiql" or "sql"; "" is none.
	Language string
	// Secrets are the paths of what is not to be shown of the answer: names on the wire joined with dots, "[]" for each
	// element of a list, "{}" for each value of a map, "header:" before a header's name, "|base64" behind a text of bytes.
	Secrets []string
	// Data are the paths, in the same form, of what customers keep at the service, which may hold anything.
	Data []string

	api   *api
	op    *operation
	input input
}

// input is what Identify has read of the request.
type input struct {
	labels []string            // the values of the URI's labels, decoded
	query  []pair              // without the signature's parameters
	header map[string][]string // as it arrived
	hoist  []pair              // headers that a presigned request has in its query
	form   []pair              // of query and ec2
	path   string
	host   string // what stands before the service's host
}

// IsZero says that nothing was identified.
func (c Call) IsZero() bool { return c.op == nil }

func newCall(a *api, op *operation, p Protocol, in input) Call {
	flag := func(f uint) bool { return op.Flags&f != 0 }
	return Call{
		Service: a.ID, Operation: op.Name, Protocol: p, Prefix: a.Prefix, HostPrefix: op.HostPrefix, Path: in.path,
		Mutates: flag(modelfile.Mutates), DryRun: flag(modelfile.DryRun), NoAuth: flag(modelfile.NoAuth),
		InputEvents: flag(modelfile.InputEvents), OutputEvents: flag(modelfile.OutputEvents), OutputBlob: flag(modelfile.OutputBlob),
		InputBlob: flag(modelfile.InputBlob), Deprecated: flag(modelfile.Deprecated), Language: op.Language, Secrets: op.Secrets, Data: op.Data,
		api: a, op: op, input: in,
	}
}

// Takes says that the operation has a member of that name at the top of its input.
func (c Call) Takes(member string) bool {
	if c.op == nil || c.op.input == nil {
		return false
	}
	return slices.ContainsFunc(c.op.input.Members, func(m modelfile.Member) bool { return m.Name == member })
}
