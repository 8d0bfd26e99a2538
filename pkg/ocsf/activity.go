package ocsf

import (
	"encoding/json"
	"strings"

	"github.com/writhq/writ/pkg/auditexport"
)

// activity is a class's number for what was done, and its name.
type activity struct {
	id   int
	name string
}

var (
	unknown = activity{0, "Unknown"}
	other   = activity{99, "Other"}
)

// stored are activities of Datastore Activity by action, the one that changes most first: the first that a record has is its activity.
var stored = []struct {
	action string
	is     activity
}{
	{"drop", activity{7, "Delete"}}, {"truncate", activity{7, "Delete"}}, {"delete", activity{7, "Delete"}},
	{"create", activity{6, "Create"}}, {"update", activity{2, "Update"}}, {"merge", activity{2, "Update"}}, {"ddl", activity{2, "Update"}},
	{"insert", activity{5, "Write"}}, {"copy_in", activity{5, "Write"}}, {"write", activity{5, "Write"}},
	{"select", activity{4, "Query"}}, {"copy_out", activity{4, "Query"}}, {"read", activity{1, "Read"}}, {"show", activity{1, "Read"}},
}

func datastoreActivity(actions []string) activity {
	for _, s := range stored {
		for _, a := range actions {
			if a == "sql:"+s.action {
				return s.is
			}
		}
	}
	if len(actions) > 0 {
		return other
	}
	return unknown
}

// called are activities of API Activity by what an operation begins with, after its service.
var called = []struct {
	is    activity
	verbs []string
}{
	{activity{4, "Delete"}, []string{"delete", "remove", "revoke", "terminate", "drop", "kill"}},
	{activity{1, "Create"}, []string{"create", "run", "add", "register", "mint", "file", "push", "publish", "captured", "request", "credential", "grant"}},
	{activity{3, "Update"}, []string{"update", "put", "patch", "modify", "set", "write", "change", "apply", "approve", "deny", "extend", "rollback", "start", "stop", "attach", "detach",
		"lock", "unlock", "policy", "undo"}},
	{activity{2, "Read"}, []string{"get", "list", "describe", "read", "watch", "search", "head", "select", "query", "who", "show", "scan", "batchget", "lookup"}},
}

func apiActivity(row auditexport.Row) activity {
	for _, name := range append([]string{operation(row)}, row.Actions...) {
		name = strings.ToLower(name[strings.LastIndexAny(name, "/:. ")+1:])
		for _, c := range called {
			for _, verb := range c.verbs {
				if strings.HasPrefix(name, verb) {
					return c.is
				}
			}
		}
	}
	return other
}

// operation is what was called: the method of a call to the control plane, the action of a command, or else the kind of record.
func operation(row auditexport.Row) string {
	var attrs []struct{ Name, Value string }
	if json.Unmarshal([]byte(row.Attributes), &attrs) == nil {
		for _, a := range attrs {
			if a.Name == "method" && a.Value != "" {
				return a.Value
			}
		}
	}
	if row.Protocol == "aws" || row.Protocol == "kubernetes" {
		if first, _, _ := strings.Cut(row.Statement, "\n"); first != "" {
			return first
		}
	}
	if len(row.Actions) > 0 {
		return row.Actions[0]
	}
	return row.Kind
}

func status(row auditexport.Row) (int, string) {
	switch {
	case row.Decision == "deny", row.Kind == "refusal", row.Kind == "damage", row.ErrorCode != "":
		return 2, "Failure"
	case row.Decision == "hold", row.Kind == "hold", row.Kind == "command": // not yet known
		return 99, "Other"
	}
	return 1, "Success"
}

func severity(row auditexport.Row) (int, string) {
	switch {
	case row.Kind == "damage":
		return 4, "High"
	case row.Decision == "deny", row.Kind == "refusal", row.Kind == "lock":
		return 3, "Medium"
	case row.Decision == "hold", row.Kind == "hold", row.ErrorCode != "":
		return 2, "Low"
	}
	return 1, "Informational"
}

// message is one line for people.
func message(row auditexport.Row) string {
	text := strings.ReplaceAll(row.Kind, "_", " ")
	if row.Decision != "" {
		text += " " + row.Decision
	}
	if row.Principal != "" {
		text += " by " + row.Principal
	}
	if row.Resource != "" {
		text += " on " + row.Resource
	}
	return text
}

func unmapped(row auditexport.Row) map[string]any {
	all := map[string]any{"kind": row.Kind}
	for name, value := range map[string]string{
		"decision": row.Decision, "reason": row.Reason, "grant_id": row.GrantID, "request_id": row.RequestID, "hold_id": row.HoldID, "command": row.Command,
		"digest": row.Digest, "command_tag": row.CommandTag, "params": row.Params, "attributes": row.Attributes, "prev_hash": row.PrevHash, "record_hash": row.RecordHash,
		"result_rows": row.ResultRows, "protocol": row.Protocol, "error_message": row.ErrorMessage, "statement": row.Statement,
	} {
		if value != "" {
			all[name] = value
		}
	}
	for name, list := range map[string][]string{
		"on_behalf_of": row.OnBehalfOf, "policy_ids": row.PolicyIDs, "actions": row.Actions, "tables": row.Tables, "masked_columns": row.MaskedColumns,
		"result_columns": row.ResultColumns,
	} {
		if len(list) > 0 {
			all[name] = list
		}
	}
	for name, n := range map[string]uint64{
		"policy_revision": row.Revision, "row_count": uint64(row.RowCount), "byte_count": uint64(row.ByteCount), "duration_ns": uint64(row.DurationNS),
	} {
		if n != 0 {
			all[name] = n
		}
	}
	if row.Trimmed {
		all["trimmed"] = true
	}
	return all
}
