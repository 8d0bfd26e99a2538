package policy

import (
	"math"
	"math/bits"
	"net/netip"
	"time"

	"github.com/cedar-policy/cedar-go/types"
)

// attr is one attribute of the context. The order is that of attrNames.
type attr uint8

const (
	attrNow attr = iota
	attrHour
	attrWeekday
	attrOnBehalfOf
	attrDelegated
	attrApproved
	attrBreakGlass
	attrApplication
	attrClientIP
	attrReason
	attrTicket
	attrDurationSeconds
	attrActions
	attrKind
	attrWhere
	attrRows
	attrRowsKnown
	attrInTransaction
	attrMulti
	attrDynamic
	attrEquality
	attrTables
	attrColumns
	attrFunctions
	attrVerb
	attrSubresource
	attrCollection
	attrDryRun
	attrBodyKnown
	attrImages
	attrPrivileged
	attrHostNamespaces
	attrHostPaths
	attrServiceAccounts
	attrSecrets
	attrConfigMaps
	attrRoles
	attrSubjects
	attrReplicas
	attrCommand
	attrContainer
	attrStdin
	attrTTY
	attrPorts
	attrPortsKnown
	attrAction
	attrOperation
	attrService
	attrRegion
	attrPassedRoles
	attrRequestTags
	attrParams
	attrLanguage
	attrStatements
	attrWholeTable
	attrDocument
	attrCommands
	attrResourceTypes
	attrUnread
	attrCount
)

var attrNames = [attrCount]types.String{
	"now", "hour", "weekday", "on_behalf_of", "delegated", "approved", "break_glass", "application", "client_ip", "reason", "ticket",
	"duration_seconds", "actions",
	"kind", "where", "rows", "rows_known", "in_transaction", "multi", "dynamic", "equality", "tables", "columns", "functions",
	"verb", "subresource", "collection", "dry_run", "body_known", "images", "privileged", "host_namespaces", "host_paths",
	"service_accounts", "secrets", "config_maps", "roles", "subjects", "replicas", "command", "container", "stdin", "tty", "ports",
	"ports_known",
	"action", "operation", "service", "region", "passed_roles", "request_tags", "params",
	"language", "statements", "whole_table", "document", "commands", "resource_types", "unread",
}

// attrSet is a set of attributes.
type attrSet uint64

func (s attrSet) has(a attr) bool { return s&(1<<a) != 0 }

// familyAttrs lists the attributes of each family of actions, as the schema declares them.
var familyAttrs = [...]attrSet{
	familyNone:      0,
	familyOpening:   1<<attrDurationSeconds - 1,
	familyRequest:   1<<attrKind - 1,
	familyStatement: (1<<attrVerb - 1) &^ (1<<attrDurationSeconds | 1<<attrActions),
	familyAPI:       (1<<attrAction - 1) &^ (1<<attrVerb - 1<<attrDurationSeconds),
	familyCall:      (1<<attrCount-1)&^(1<<attrAction-1<<attrDurationSeconds) | 1<<attrDryRun | 1<<attrTables | 1<<attrFunctions,
}

// Depends says which facts of a single execution a decision rests on. A decision that
// depends on nothing holds as long as its evaluator.
type Depends uint8

// What changes between two executions of one command.
const (
	DependsTime        Depends = 1 << iota // now, hour or weekday
	DependsTransaction                     // in_transaction
	DependsRows                            // rows or rows_known
)

// What a denial or a hold rests on because it is unknown: asked again with more known, the answer may be milder. Without the
// bit it stays.
const (
	DependsLabels Depends = 1 << (iota + 3) // the object's labels
	DependsBody                             // what comes of the body
	DependsPorts                            // the ports of a port-forward
)

func (s attrSet) depends() Depends {
	var d Depends
	if s&(1<<attrNow|1<<attrHour|1<<attrWeekday) != 0 {
		d |= DependsTime
	}
	if s.has(attrInTransaction) {
		d |= DependsTransaction
	}
	if s&(1<<attrRows|1<<attrRowsKnown) != 0 {
		d |= DependsRows
	}
	return d
}

// Rows is the number of rows a statement would change. The zero value is unknown, which
// a policy sees as the largest number there is, so that "context.rows > 100" holds.
type Rows struct {
	known bool
	n     int64
}

// KnownRows is a counted number of rows. A negative count is unknown.
func KnownRows(n int64) Rows { return Rows{known: n >= 0, n: n} }

func (r Rows) long() types.Long {
	if !r.known {
		return math.MaxInt64
	}
	return types.Long(r.n)
}

// Moment is what may differ between two executions of one command. A zero Now is
// refused. Approvals are those that people have given for exactly this command.
type Moment struct {
	Now           time.Time
	InTransaction bool
	Rows          Rows
	Approvals     []Approval
}

// Statement holds the facts of one SQL text, as the classifier gives them. Tables are
// Dotted(schema, table), Columns Dotted(schema, table, column) and Functions
// Dotted(schema, function), without the resource.
type Statement struct {
	Kind      string // the leading verb, such as "select"
	Where     bool   // every UPDATE and DELETE has a WHERE that is not constantly true
	Multi     bool   // one of several statements in one text
	Dynamic   bool   // it runs SQL text that is built at run time
	Tables    []string
	Columns   []string
	Functions []string
}

// Asked holds the facts of an access request.
type Asked struct {
	Duration time.Duration
	Actions  []Action
}

// Facts are the part of the context that one command fixes, built once and shared.
// A nil *Facts serves session:open only.
type Facts struct {
	family  family
	unknown unknowns
	values  *[attrCount]types.Value // nil has none
	call    *callFacts              // of familyCall, in the place of values
}

func newFacts(of family) *Facts { return &Facts{family: of, values: new([attrCount]types.Value)} }

// value is an attribute that the command fixes, or nil.
func (f *Facts) value(a attr) types.Value {
	switch {
	case f.call != nil:
		return f.call.value(a)
	case f.values != nil:
		return f.values[a]
	}
	return nil
}

// Facts builds the context of every sql: question about s.
func (s Statement) Facts() *Facts {
	f := newFacts(familyStatement)
	f.values[attrKind] = types.String(s.Kind)
	f.values[attrWhere] = types.Boolean(s.Where)
	f.values[attrMulti] = types.Boolean(s.Multi)
	f.values[attrDynamic] = types.Boolean(s.Dynamic)
	f.values[attrTables] = stringSet(s.Tables)
	f.values[attrColumns] = stringSet(s.Columns)
	f.values[attrFunctions] = stringSet(s.Functions)
	return f
}

// Facts builds the context of access:request.
func (a Asked) Facts() *Facts {
	f := newFacts(familyRequest)
	f.values[attrDurationSeconds] = types.Long(a.Duration / time.Second)
	f.values[attrActions] = stringSet(a.Actions)
	return f
}

var openingFacts = &Facts{family: familyOpening}

func stringSet[S ~string](in []S) types.Set {
	values := make([]types.Value, len(in))
	for i, s := range in {
		values[i] = types.String(s)
	}
	return types.NewSet(values...)
}

// sessionValues fills what an evaluator fixes.
func sessionValues(p Principal, o Origin) [attrCount]types.Value {
	var v [attrCount]types.Value
	ip := o.ClientIP.Unmap()
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	v[attrOnBehalfOf] = stringSet(p.OnBehalfOf)
	v[attrDelegated] = types.Boolean(len(p.OnBehalfOf) > 0)
	v[attrBreakGlass] = types.Boolean(o.BreakGlass)
	v[attrApplication] = types.String(o.Application)
	v[attrClientIP] = types.IPAddr(netip.PrefixFrom(ip.WithZone(""), ip.BitLen()))
	v[attrReason] = types.String(o.Reason)
	v[attrTicket] = types.String(o.Ticket)
	return v
}

// record builds the context of one question, with the attributes in want and no more:
// what no live policy reads need not be built. Weeks begin on Monday, which is 1; hours
// are in UTC.
func record(want attrSet, session *[attrCount]types.Value, f *Facts, m Moment, equality, approved bool) types.Record {
	if want == 0 {
		return types.Record{}
	}
	now := m.Now.UTC()
	out := make(types.RecordMap, bits.OnesCount64(uint64(want)))
	for a := range attrCount {
		if !want.has(a) {
			continue
		}
		var v types.Value
		switch a {
		case attrNow:
			v = types.NewDatetime(now)
		case attrHour:
			v = types.Long(now.Hour())
		case attrWeekday:
			v = types.Long((now.Weekday()+6)%7 + 1)
		case attrApproved:
			v = types.Boolean(approved)
		case attrRows:
			v = m.Rows.long()
		case attrRowsKnown:
			v = types.Boolean(m.Rows.known)
		case attrInTransaction:
			v = types.Boolean(m.InTransaction)
		case attrEquality:
			v = types.Boolean(equality)
		default:
			if v = session[a]; v == nil {
				v = f.value(a)
			}
		}
		if v != nil {
			out[attrNames[a]] = v
		}
	}
	return types.NewRecord(out)
}
