// Package ocsf maps rows of audit records to events of the Open Cybersecurity Schema Framework, for lakes and SIEMs that read it. It is pure.
package ocsf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/auditexport"
)

// Version is the version of the schema that events keep to.
const Version = "1.3.0"

// Event is one event. Which of its parts are there depends on its class. Source: schema.ocsf.io, version 1.3.0, classes Authentication, API
// Activity and Datastore Activity.
type Event struct {
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	CategoryUID  int    `json:"category_uid"`
	CategoryName string `json:"category_name"`
	ClassUID     int    `json:"class_uid"`
	ClassName    string `json:"class_name"`
	TypeUID      int    `json:"type_uid"` // ClassUID * 100 + ActivityID
	TypeName     string `json:"type_name"`
	SeverityID   int    `json:"severity_id"`
	Severity     string `json:"severity"`
	Time         int64  `json:"time"`               // Unix milliseconds
	Duration     int64  `json:"duration,omitempty"` // milliseconds
	Message      string `json:"message"`
	StatusID     int    `json:"status_id"`
	Status       string `json:"status"`
	StatusCode   string `json:"status_code,omitempty"`
	StatusDetail string `json:"status_detail,omitempty"`

	Metadata Metadata  `json:"metadata"`
	Actor    *Actor    `json:"actor,omitempty"`
	Source   *Endpoint `json:"src_endpoint,omitempty"`
	Target   *Endpoint `json:"dst_endpoint,omitempty"`

	User     *User    `json:"user,omitempty"`      // of Authentication
	Service  *Named   `json:"service,omitempty"`   // of Authentication
	Session  *Session `json:"session,omitempty"`   // of Authentication
	IsRemote bool     `json:"is_remote,omitempty"` // of Authentication

	API       *API    `json:"api,omitempty"`       // of API Activity
	Resources []Named `json:"resources,omitempty"` // of API Activity

	Database *Database `json:"database,omitempty"`   // of Datastore Activity
	Table    *Named    `json:"table,omitempty"`      // of Datastore Activity
	Query    *Query    `json:"query_info,omitempty"` // of Datastore Activity

	// Unmapped is what the schema has no place for, under the names of columns.
	Unmapped map[string]any `json:"unmapped"`
}

// Metadata says where the event is from.
type Metadata struct {
	Version        string  `json:"version"`
	Product        Product `json:"product"`
	UID            string  `json:"uid"` // the record's id
	CorrelationUID string  `json:"correlation_uid,omitempty"`
	Sequence       uint64  `json:"sequence,omitempty"`
	LogName        string  `json:"log_name"`
	LogProvider    string  `json:"log_provider"`
	OriginalTime   string  `json:"original_time"`
}

// Product is Writ.
type Product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

// Actor is who acted.
type Actor struct {
	User    User     `json:"user"`
	Session *Session `json:"session,omitempty"`
	AppName string   `json:"app_name,omitempty"`
}

// User is a principal.
type User struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	TypeID int    `json:"type_id"`
}

// Session is a session.
type Session struct {
	UID    string `json:"uid"`
	Issuer string `json:"issuer"`
}

// Endpoint is one end of a connection.
type Endpoint struct {
	IP      string `json:"ip,omitempty"`
	Port    uint16 `json:"port,omitempty"`
	Name    string `json:"name,omitempty"`
	SvcName string `json:"svc_name,omitempty"`
}

// Named is something with a name.
type Named struct {
	Name string `json:"name"`
}

// API is what was called.
type API struct {
	Operation string `json:"operation"`
	Service   *Named `json:"service,omitempty"`
}

// Database is a database.
type Database struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	TypeID int    `json:"type_id"`
}

// Query is a statement.
type Query struct {
	QueryString string `json:"query_string"`
	Bytes       int64  `json:"bytes,omitempty"`
	UID         string `json:"uid,omitempty"`
}

// The classes that records are mapped to.
const (
	Authentication    = 3002
	APIActivity       = 6003
	DatastoreActivity = 6005
)

// Of returns the event of a row. It fails with auditexport.ErrRecord for a row without an id or a time.
func Of(row auditexport.Row) (Event, error) {
	at, err := time.Parse(auditexport.TimeLayout, row.Time)
	if err != nil || row.ID == "" {
		return Event{}, fmt.Errorf("%w: no id or no time", auditexport.ErrRecord)
	}
	e := Event{
		Time: at.UnixMilli(), Duration: row.DurationNS / 1e6, Message: message(row), Metadata: metadata(row),
		StatusCode: row.ErrorCode, StatusDetail: firstOf(row.ErrorMessage, row.Reason),
		Actor: actor(row), Source: source(row), Target: target(row), Unmapped: unmapped(row),
	}
	e.StatusID, e.Status = status(row)
	e.SeverityID, e.Severity = severity(row)
	switch class := classOf(row); class {
	case Authentication:
		e.authentication(row)
	case DatastoreActivity:
		e.datastore(row)
	default:
		e.api(row)
	}
	return e, nil
}

// classOf puts sessions and logins with Authentication, what is done to databases with Datastore Activity, and all else with API Activity.
func classOf(row auditexport.Row) int {
	switch row.Kind {
	case "session_open", "session_close", "login":
		return Authentication
	case "command", "outcome", "refusal", "hold", "hold_decided", "rows", "notice", "stream":
		if row.Resource != "" && (row.Protocol == "postgres" || row.Protocol == "mysql" || sql(row.Actions)) {
			return DatastoreActivity
		}
	}
	return APIActivity
}

func sql(actions []string) bool {
	return slices.ContainsFunc(actions, func(a string) bool { return strings.HasPrefix(a, "sql:") })
}

func (e *Event) classify(class int, name string, category int, categoryName string, activity activity) {
	e.ClassUID, e.ClassName, e.CategoryUID, e.CategoryName = class, name, category, categoryName
	e.ActivityID, e.ActivityName = activity.id, activity.name
	e.TypeUID, e.TypeName = class*100+activity.id, name+": "+activity.name
}

func (e *Event) authentication(row auditexport.Row) {
	is := activity{1, "Logon"}
	if row.Kind == "session_close" {
		is = activity{2, "Logoff"}
	}
	e.classify(Authentication, "Authentication", 3, "Identity & Access Management", is)
	user := e.Actor.User
	e.User, e.Session, e.Service, e.IsRemote = &user, e.Actor.Session, &Named{firstOf(row.Resource, "writ")}, true
}

func (e *Event) datastore(row auditexport.Row) {
	e.classify(DatastoreActivity, "Datastore Activity", 6, "Application Activity", datastoreActivity(row.Actions))
	e.Database = &Database{Name: row.Resource, Type: "Relational", TypeID: 1}
	if len(row.Tables) == 1 {
		e.Table = &Named{row.Tables[0]}
	}
	if row.Statement != "" {
		e.Query = &Query{QueryString: row.Statement, Bytes: row.ByteCount, UID: row.Command}
	}
}

func (e *Event) api(row auditexport.Row) {
	e.classify(APIActivity, "API Activity", 6, "Application Activity", apiActivity(row))
	e.API = &API{Operation: operation(row), Service: &Named{firstOf(row.Protocol, "writ")}}
	if row.Resource != "" {
		e.Resources = []Named{{row.Resource}}
	}
}

func metadata(row auditexport.Row) Metadata {
	return Metadata{
		Version: Version, Product: Product{Name: "Writ", VendorName: "Writ"}, UID: row.ID, Sequence: row.Seq,
		CorrelationUID: firstOf(row.Session, row.RequestID, row.GrantID), LogName: "audit", LogProvider: recorder(row), OriginalTime: row.Time,
	}
}

// recorder is the edge, or the control plane.
func recorder(row auditexport.Row) string { return firstOf(row.RecordedBy, "writ-controlplane") }

func actor(row auditexport.Row) *Actor {
	a := &Actor{User: User{Name: row.Principal, Type: row.PrincipalKind, TypeID: 99}, AppName: row.Application}
	switch {
	case row.Principal == "":
		a.User = User{Name: recorder(row), Type: "System", TypeID: 3}
	case row.PrincipalKind == "person":
		a.User.Type, a.User.TypeID = "User", 1
	case row.PrincipalKind == "":
		a.User.Type, a.User.TypeID = "Unknown", 0
	}
	if row.Session != "" {
		a.Session = &Session{UID: row.Session, Issuer: recorder(row)}
	}
	return a
}

// source is the client, or whoever recorded what no client did.
func source(row auditexport.Row) *Endpoint {
	if at, err := netip.ParseAddrPort(row.ClientAddr); err == nil {
		return &Endpoint{IP: at.Addr().Unmap().String(), Port: at.Port()}
	}
	if at, err := netip.ParseAddr(row.ClientAddr); err == nil {
		return &Endpoint{IP: at.Unmap().String()}
	}
	return &Endpoint{Name: firstOf(row.ClientAddr, recorder(row))}
}

func target(row auditexport.Row) *Endpoint {
	if row.Resource == "" {
		return nil
	}
	return &Endpoint{Name: row.Resource, SvcName: row.Protocol}
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
