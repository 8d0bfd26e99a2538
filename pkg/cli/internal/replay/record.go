// Package replay shows a session's recording: each record as it is, at the pace of the session.
package replay

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrRecord is a record that is not the JSON of pkg/audit.
var ErrRecord = errors.New("unreadable record")

// record is what is shown of pkg/audit's JSON form. Fields not named here are for other readers.
type record struct {
	Time          time.Time `json:"time"`
	Kind          string    `json:"kind"`
	Edge          string    `json:"edge"`
	Principal     string    `json:"principal"`
	Resource      string    `json:"resource"`
	ClientAddr    string    `json:"client_addr"`
	Protocol      string    `json:"protocol"`
	Application   string    `json:"application"`
	Command       string    `json:"command"`
	Statement     string    `json:"statement"`
	Params        []value   `json:"params"`
	Decision      string    `json:"decision"`
	PolicyIDs     []string  `json:"policy_ids"`
	Revision      uint64    `json:"revision"`
	Reason        string    `json:"reason"`
	HoldID        string    `json:"hold_id"`
	MaskedColumns []string  `json:"masked_columns"`
	RowCount      int64     `json:"row_count"`
	Duration      string    `json:"duration"`
	CommandTag    string    `json:"command_tag"`
	ErrorCode     string    `json:"error_code"`
	ErrorMessage  string    `json:"error_message"`
	Columns       []string  `json:"columns"`
	Rows          [][]value `json:"rows"`
	Attrs         []attr    `json:"attrs"`
	Trimmed       bool      `json:"trimmed"`
}

type attr struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// value is a field of a row or a parameter: as it is, and in the form in which it is shown.
type value struct {
	data  []byte
	shown string
}

// UnmarshalJSON takes null, a string, or {"base64": "..."}.
func (v *value) UnmarshalJSON(raw []byte) error {
	var text *string
	if err := json.Unmarshal(raw, &text); err == nil {
		*v = value{shown: "NULL"}
		if text != nil {
			*v = value{data: []byte(*text), shown: *text}
		}
		return nil
	}
	var binary struct {
		Base64 *string `json:"base64"`
	}
	if err := json.Unmarshal(raw, &binary); err != nil || binary.Base64 == nil {
		return ErrRecord
	}
	data, err := base64.StdEncoding.DecodeString(*binary.Base64)
	if err != nil {
		return ErrRecord
	}
	*v = value{data: data, shown: "base64:" + *binary.Base64}
	return nil
}

func parse(raw []byte) (record, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return record{}, fmt.Errorf("%w: not JSON of the known form", ErrRecord)
	}
	if r.Kind == "" {
		return record{}, fmt.Errorf("%w: no kind", ErrRecord)
	}
	return r, nil
}

// Of reports whether a record is of that command, or says what is wrong with the recording.
func Of(raw []byte, command string) bool {
	r, err := parse(raw)
	return err == nil && (r.Command == command || r.Kind == "damage")
}

// Summary is one line on a record: its decision, its reason and its details; "" for one that cannot be read.
func Summary(raw []byte) string {
	r, err := parse(raw)
	if err != nil {
		return ""
	}
	parts := []string{}
	for _, a := range r.Attrs {
		parts = append(parts, a.Name+"="+a.Value)
	}
	return words(strings.TrimSpace(r.Decision+" "+strings.Join(parts, " ")), "because", r.Reason)
}

// Line is Summary with the statement, the outcome and the policies, all on one line.
func Line(raw []byte) string {
	r, err := parse(raw)
	if err != nil {
		return ""
	}
	parts := []string{r.Decision, strings.Join(strings.Fields(r.Statement), " "), r.CommandTag, r.ErrorCode, r.ErrorMessage}
	for _, a := range r.Attrs {
		parts = append(parts, a.Name+"="+a.Value)
	}
	return words(strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " "),
		"by", strings.Join(r.PolicyIDs, ", "), "because", r.Reason)
}
