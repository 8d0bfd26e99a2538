package auditexport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// recordJSON is pkg/audit's JSON form of a record, as the API returns it.
type recordJSON struct {
	ID            string          `json:"id"`
	Seq           uint64          `json:"seq"`
	Time          time.Time       `json:"time"`
	Kind          string          `json:"kind"`
	Edge          string          `json:"edge"`
	Session       string          `json:"session"`
	Principal     string          `json:"principal"`
	PrincipalKind string          `json:"principal_kind"`
	OnBehalfOf    []string        `json:"on_behalf_of"`
	Resource      string          `json:"resource"`
	Grant         string          `json:"grant"`
	ClientAddr    string          `json:"client_addr"`
	Protocol      string          `json:"protocol"`
	Application   string          `json:"application"`
	Command       string          `json:"command"`
	Statement     string          `json:"statement"`
	Params        json.RawMessage `json:"params"`
	Digest        string          `json:"digest"`
	Decision      string          `json:"decision"`
	PolicyIDs     []string        `json:"policy_ids"`
	Revision      uint64          `json:"revision"`
	Reason        string          `json:"reason"`
	RequestID     string          `json:"request_id"`
	HoldID        string          `json:"hold_id"`
	Actions       []string        `json:"actions"`
	Tables        []string        `json:"tables"`
	MaskedColumns []string        `json:"masked_columns"`
	RowCount      int64           `json:"row_count"`
	Bytes         int64           `json:"bytes"`
	Duration      string          `json:"duration"`
	CommandTag    string          `json:"command_tag"`
	ErrorCode     string          `json:"error_code"`
	ErrorMessage  string          `json:"error_message"`
	Columns       []string        `json:"columns"`
	Rows          json.RawMessage `json:"rows"`
	Attrs         json.RawMessage `json:"attrs"`
	Trimmed       bool            `json:"trimmed"`
	Prev          string          `json:"prev"`
	Hash          string          `json:"hash"`
}

// FromJSON returns the row of a record in pkg/audit's JSON form. What says that a recording is damaged has no id and no time and becomes a row
// of kind "damage". It fails with ErrRecord.
func FromJSON(raw []byte) (Row, error) {
	var r recordJSON
	if err := json.Unmarshal(raw, &r); err != nil {
		return Row{}, fmt.Errorf("%w: not JSON of the known form", ErrRecord)
	}
	if r.Kind == "" {
		return Row{}, fmt.Errorf("%w: no kind", ErrRecord)
	}
	row := Row{
		ID: r.ID, Kind: r.Kind, RecordedBy: r.Edge, Session: r.Session, Seq: r.Seq,
		Principal: r.Principal, PrincipalKind: r.PrincipalKind, OnBehalfOf: list(r.OnBehalfOf), Resource: r.Resource, GrantID: r.Grant,
		Protocol: r.Protocol, Application: r.Application, ClientAddr: r.ClientAddr,
		Command: r.Command, Statement: r.Statement, Digest: r.Digest,
		Decision: r.Decision, Reason: r.Reason, PolicyIDs: list(r.PolicyIDs), Revision: r.Revision, RequestID: r.RequestID, HoldID: r.HoldID,
		Actions: list(r.Actions), Tables: list(r.Tables), MaskedColumns: list(r.MaskedColumns), RowCount: r.RowCount, ByteCount: r.Bytes,
		CommandTag: r.CommandTag, ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage,
		ResultColumns: list(r.Columns), Trimmed: r.Trimmed, PrevHash: r.Prev, RecordHash: r.Hash,
	}
	if !r.Time.IsZero() {
		row.Time = r.Time.UTC().Format(TimeLayout)
	}
	if r.Duration != "" {
		d, err := time.ParseDuration(r.Duration)
		if err != nil {
			return Row{}, fmt.Errorf("%w: duration", ErrRecord)
		}
		row.DurationNS = d.Nanoseconds()
	}
	row.Params, row.ResultRows, row.Attributes = compact(r.Params), compact(r.Rows), compact(r.Attrs)
	return row, nil
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if string(raw) == "null" || json.Compact(&b, raw) != nil {
		return ""
	}
	return b.String()
}
