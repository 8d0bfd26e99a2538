// Package modelfile is the compact form in which the models of AWS services are embedded: what the generator writes and
// pkg/awsmodel reads. A file is a head, which names every service, and one deflated block for each.
package modelfile

// Protocol is how a service's requests are written.
type Protocol uint8

// The protocols, by the names of the AWS protocol tests. The zero value is none.
const (
	NoProtocol Protocol = iota
	JSON
	RESTJSON
	Query
	EC2
	RESTXML
	CBOR
)

// Level is an IAM access level, as the service authorization reference gives it. The zero value is unknown.
type Level uint8

// The access levels.
const (
	UnknownLevel Level = iota
	List
	Read
	Write
	Permissions
	Tagging
)

// Kind is what a shape holds.
type Kind uint8

// The kinds of shapes. Document is free JSON.
const (
	NoKind Kind = iota
	Structure
	ListOf
	MapOf
	String
	Integer
	Float
	Boolean
	Timestamp
	Blob
	Document
)

// Location is where a member stands in a request or an answer.
type Location uint8

// The locations of a member. A payload is the whole body, and InStatus the number of an answer's status.
const (
	InBody Location = iota
	InURI
	InQuery
	InHeader
	InHeaders
	InPayload
	InStatus
)

// Flags of shapes, members and operations. Each says where it is used.
const (
	Sensitive    = 1 << iota // shape: its values are not to be shown
	Union                    // shape: exactly one member is set
	EventStream              // shape: a stream of events
	Streaming                // shape: a blob that is not held in memory
	Flattened                // shape, member: a list or map without a wrapper
	Required                 // member
	HostLabel                // member: part of the host's prefix
	Attribute                // member: an attribute in XML
	JSONValue                // member: JSON, in base64 where it is a header
	Token                    // member: an idempotency token
	EventHeader              // member: a header of an event
	EventPayload             // member: the whole payload of an event
)

// Flags of operations.
const (
	NoAuth       = 1 << iota // sent without a signature
	InputEvents              // the body is an event stream
	OutputEvents             // the answer is an event stream
	OutputBlob               // the answer is a blob that streams
	InputBlob                // the body is a blob that streams
	DryRun                   // the call takes DryRun
	Deprecated               // AWS calls it deprecated
	ReadOnly                 // AWS calls it read-only
	Unsigned                 // the payload is not signed
	Mutates                  // it changes something, or is not known not to
)

// Member is one member of a structure.
type Member struct {
	Name  string
	Wire  string // its name on the wire, when another
	Query string // its name in the protocol ec2, when it is given
	At    Location
	Flags uint
	Shape int // index into Service.Shapes
}

// Shape is a type of a request. Members are sorted by name.
type Shape struct {
	Kind    Kind
	Flags   uint
	Members []Member // of a structure
	Key     int      // shape of a map's keys
	Elem    int      // shape of a list's or map's values
	KeyWire string   // what a map's keys are called on the wire, when it is given
	Wire    string   // what a list's or map's values are called on the wire, when it is given
	Format  string   // of a timestamp, when it is given
}

// Bind says where the value for a variable of an ARN template stands.
type Bind struct {
	Var  string // "" is the whole ARN
	Path string // members, with dots, and [] for each element of a list
}

// Resource is one sort of resource that an action is checked on.
type Resource struct {
	Type string
	ARN  string // the template, as the reference writes it
	// Binds has one entry per variable beside Partition, Region and Account, or one for the whole ARN.
	Binds []Bind
	// Optional says that the resource is left out when its members are absent.
	Optional bool
	// Pathless says that the real ARN may have a path before the name, which requests do not tell.
	Pathless bool
	// Free says that a value may have any characters, as the keys of S3 have.
	Free bool
	// Lower says that the service keeps names in lower case.
	Lower bool
	// Slashes says that a value may have slashes.
	Slashes bool
}

// Action is one IAM action that an operation needs.
type Action struct {
	Name  string // such as s3:GetObject
	Level Level
	// When is a condition: "" always, "Member" when it is present, "!Member" when it is absent, "Member=value".
	// Several are separated by "|", of which one must hold.
	When string
	// Resources is what it is checked on; none is every resource, written "*".
	Resources []Resource
	// Unknown says that some resource of the action cannot be told from the members.
	Unknown bool
}

// Operation is one operation of a service.
type Operation struct {
	Name       string
	Method     string
	URI        string
	Input      int // index into Service.Shapes plus one, or 0
	Output     int // likewise, of what is answered
	Fault      int // likewise, of what errors have in them besides texts: the members of all of them
	HostPrefix string
	Flags      uint
	Language   string // of the text inside the call, or ""
	Account    string // the member that names the resource's account, or ""; with "!" one that may
	Actions    []Action
	Roles      []string // paths of members that hold a role which the call passes on
	Secrets    []string // paths of members of answers and errors that are not to be shown
	Data       []string // likewise, of what customers keep at the service, which may hold anything
}

// Service is one service's model.
type Service struct {
	Head
	Shapes     []Shape
	Operations []Operation // sorted by name
}

// Head is what is known of a service without its block.
type Head struct {
	ID             string // such as ec2, the folder of its model
	Name           string // such as EC2, its serviceId
	SigningName    string // the service of credential scopes
	EndpointPrefix string
	Version        string // of the API, such as 2016-11-15
	Target         string // what X-Amz-Target starts with
	Prefix         string // of IAM actions, or "" when none is known
	Protocols      []Protocol
	Hosts          []string // templates of hosts, with {Region} and {Suffix}
	Endpoint       string   // the template of the host to send to, with {Region}, and {DNS} or {Dual} for the suffix
	Base           string   // the path before those of operations, where a host serves them, or ""
	Prefixes       []string // what operations put before the host, templates with members
	Offset, Size   int      // of the block
}

// Partition is one of AWS's partitions.
type Partition struct {
	ID       string
	Suffixes []string // of hosts: DNS and, where it is another, dual-stack
	Pattern  string   // of region names
	Regions  []string
}

// File is the head of a file.
type File struct {
	Sources    []string // what it was made from, a line each
	Partitions []Partition
	Services   []Head
	Dictionary string
}
