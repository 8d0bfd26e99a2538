package audit

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// recordJSON is the form for people and for log systems: names in snake case, empty fields left out, hashes in hex.
type recordJSON struct {
	ID            RecordID  `json:"id"`
	Seq           uint64    `json:"seq,omitempty"`
	Time          time.Time `json:"time"`
	Kind          Kind      `json:"kind"`
	Edge          string    `json:"edge,omitempty"`
	Session       string    `json:"session,omitempty"`
	Principal     string    `json:"principal,omitempty"`
	PrincipalKind string    `json:"principal_kind,omitempty"`
	OnBehalfOf    []string  `json:"on_behalf_of,omitempty"`
	Resource      string    `json:"resource,omitempty"`
	Grant         string    `json:"grant,omitempty"`
	ClientAddr    string    `json:"client_addr,omitempty"`
	Protocol      string    `json:"protocol,omitempty"`
	Application   string    `json:"application,omitempty"`
	Command       string    `json:"command,omitempty"`
	Statement     string    `json:"statement,omitempty"`
	Params        []Param   `json:"params,omitempty"`
	Digest        hexHash   `json:"digest,omitzero"`
	Decision      Decision  `json:"decision,omitempty"`
	PolicyIDs     []string  `json:"policy_ids,omitempty"`
	Revision      uint64    `json:"revision,omitempty"`
	Reason        string    `json:"reason,omitempty"`
	RequestID     string    `json:"request_id,omitempty"`
	HoldID        string    `json:"hold_id,omitempty"`
	Actions       []string  `json:"actions,omitempty"`
	Tables        []string  `json:"tables,omitempty"`
	MaskedColumns []string  `json:"masked_columns,omitempty"`
	RowCount      int64     `json:"row_count,omitempty"`
	Bytes         int64     `json:"bytes,omitempty"`
	Duration      string    `json:"duration,omitempty"`
	CommandTag    string    `json:"command_tag,omitempty"`
	ErrorCode     string    `json:"error_code,omitempty"`
	ErrorMessage  string    `json:"error_message,omitempty"`
	Columns       []string  `json:"columns,omitempty"`
	Rows          [][]Value `json:"rows,omitempty"`
	Attrs         []Attr    `json:"attrs,omitempty"`
	Trimmed       bool      `json:"trimmed,omitempty"`
	Prev          hexHash   `json:"prev,omitzero"`
	Hash          hexHash   `json:"hash,omitzero"`
}

type hexHash [HashSize]byte

func (h hexHash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// MarshalJSON returns the record's form for people. Values are strings, null, or {"base64": ...} where they are
// not text. The hash is over the binary form; this form is for reading only.
func (r Record) MarshalJSON() ([]byte, error) {
	j := recordJSON{
		ID: r.ID, Seq: r.Seq, Time: r.Time.UTC(), Kind: r.Kind, Edge: r.Edge, Session: r.Session,
		Principal: r.Principal, PrincipalKind: r.PrincipalKind, OnBehalfOf: r.OnBehalfOf, Resource: r.Resource,
		Grant: r.Grant, ClientAddr: r.ClientAddr, Protocol: r.Protocol, Application: r.Application,
		Command: r.Command, Statement: r.Statement, Params: r.Params, Digest: r.Digest, Decision: r.Decision,
		PolicyIDs: r.PolicyIDs, Revision: r.Revision, Reason: r.Reason, RequestID: r.RequestID, HoldID: r.HoldID,
		Actions: r.Actions, Tables: r.Tables, MaskedColumns: r.MaskedColumns, RowCount: r.RowCount,
		Bytes: r.Bytes, CommandTag: r.CommandTag, ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage,
		Columns: r.Columns, Rows: r.Rows, Attrs: r.Attrs, Trimmed: r.Trimmed, Prev: r.Prev, Hash: r.Hash,
	}
	if r.Duration != 0 {
		j.Duration = r.Duration.String()
	}
	return json.Marshal(j)
}

// MarshalJSON returns null, a string, or {"base64": ...} for what is not text.
func (v Value) MarshalJSON() ([]byte, error) {
	switch {
	case v.Null:
		return []byte("null"), nil
	case utf8.Valid(v.Data):
		return json.Marshal(string(v.Data))
	}
	return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString(v.Data)})
}
