// Package auditexport turns audit records into flat rows for query engines, log systems and spreadsheets: one documented set of columns, written
// as JSON lines or CSV, partitioned by day and edge. It is pure: records and files in, rows and bytes out.
package auditexport

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

// TimeLayout is the form of times in rows: UTC, microseconds, always of one length, so that text sorts as time does.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// ErrRecord is a record that has no form as a row.
var ErrRecord = errors.New("unreadable record")

// Row is a record in columns. Every column is always there: text that a record lacks is "", a number 0, a list empty. Names, types and
// meaning never change within v1; columns may be added at the end. Columns that hold JSON are text.
type Row struct {
	ID            string   `json:"id"`
	Time          string   `json:"time"`
	Kind          string   `json:"kind"`
	RecordedBy    string   `json:"recorded_by"`
	Session       string   `json:"session"`
	Seq           uint64   `json:"seq"`
	Principal     string   `json:"principal"`
	PrincipalKind string   `json:"principal_kind"`
	OnBehalfOf    []string `json:"on_behalf_of"`
	Resource      string   `json:"resource"`
	GrantID       string   `json:"grant_id"`
	Protocol      string   `json:"protocol"`
	Application   string   `json:"application"`
	ClientAddr    string   `json:"client_addr"`
	Command       string   `json:"command"`
	Statement     string   `json:"statement"`
	Params        string   `json:"params"`
	Digest        string   `json:"digest"`
	Decision      string   `json:"decision"`
	Reason        string   `json:"reason"`
	PolicyIDs     []string `json:"policy_ids"`
	Revision      uint64   `json:"policy_revision"`
	RequestID     string   `json:"request_id"`
	HoldID        string   `json:"hold_id"`
	Actions       []string `json:"actions"`
	Tables        []string `json:"tables"`
	MaskedColumns []string `json:"masked_columns"`
	RowCount      int64    `json:"row_count"`
	ByteCount     int64    `json:"byte_count"`
	DurationNS    int64    `json:"duration_ns"`
	CommandTag    string   `json:"command_tag"`
	ErrorCode     string   `json:"error_code"`
	ErrorMessage  string   `json:"error_message"`
	ResultColumns []string `json:"result_columns"`
	ResultRows    string   `json:"result_rows"`
	Attributes    string   `json:"attributes"`
	Trimmed       bool     `json:"trimmed"`
	PrevHash      string   `json:"prev_hash"`
	RecordHash    string   `json:"record_hash"`
}

// FromRecord returns the row of a record.
func FromRecord(r *audit.Record) (Row, error) {
	row := Row{
		ID: r.ID.String(), Time: r.Time.UTC().Format(TimeLayout), Kind: r.Kind.String(), RecordedBy: r.Edge, Session: r.Session, Seq: r.Seq,
		Principal: r.Principal, PrincipalKind: r.PrincipalKind, OnBehalfOf: list(r.OnBehalfOf), Resource: r.Resource, GrantID: r.Grant,
		Protocol: r.Protocol, Application: r.Application, ClientAddr: r.ClientAddr,
		Command: r.Command, Statement: r.Statement, Digest: hash(r.Digest),
		Decision: string(r.Decision), Reason: r.Reason, PolicyIDs: list(r.PolicyIDs), Revision: r.Revision, RequestID: r.RequestID, HoldID: r.HoldID,
		Actions: list(r.Actions), Tables: list(r.Tables), MaskedColumns: list(r.MaskedColumns),
		RowCount: r.RowCount, ByteCount: r.Bytes, DurationNS: r.Duration.Nanoseconds(),
		CommandTag: r.CommandTag, ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage,
		ResultColumns: list(r.Columns), Trimmed: r.Trimmed, PrevHash: hash(r.Prev), RecordHash: hash(r.Hash),
	}
	var err error
	if row.Params, err = jsonText(len(r.Params), r.Params); err != nil {
		return Row{}, err
	}
	if row.ResultRows, err = jsonText(len(r.Rows), r.Rows); err != nil {
		return Row{}, err
	}
	row.Attributes, err = jsonText(len(r.Attrs), r.Attrs)
	return row, err
}

// list is never null in JSON.
func list(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

// hash is empty for one that was never set.
func hash(h [audit.HashSize]byte) string {
	if h == [audit.HashSize]byte{} {
		return ""
	}
	return hex.EncodeToString(h[:])
}

// jsonText is v as JSON, or "" where it has no items.
func jsonText(items int, v any) (string, error) {
	if items == 0 {
		return "", nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return string(raw), nil
}

// day is the partition of a time.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
