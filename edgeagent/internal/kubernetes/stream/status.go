package stream

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// status is what is used of the API server's Status object (metav1.Status).
type status struct {
	Kind       string         `json:"kind,omitempty"`
	APIVersion string         `json:"apiVersion,omitempty"`
	Metadata   struct{}       `json:"metadata"`
	Status     string         `json:"status,omitempty"`
	Message    string         `json:"message,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Details    *statusDetails `json:"details,omitempty"`
	Code       int            `json:"code,omitempty"`
}

type statusDetails struct {
	Causes []statusCause `json:"causes,omitempty"`
}

type statusCause struct {
	Type    string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// answer is a response before any upgrade.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body)
}

// failure returns the Status of a refusal.
func failure(code int, reason, message string) []byte {
	// A status holds nothing that cannot be marshalled.
	b, _ := json.Marshal(status{Kind: "Status", APIVersion: "v1", Status: "Failure", Message: message, Reason: reason, Code: code})
	return b
}

// refuse answers a client whose connection is not upgraded, and returns err.
func refuse(w http.ResponseWriter, err error) error {
	refusal(err).write(w)
	return err
}

// refusal is what a client is answered before the upgrade because of err.
func refusal(err error) answer {
	var refused *Refused
	if errors.As(err, &refused) {
		return refused.answer
	}
	code, reason := http.StatusForbidden, "Forbidden"
	switch {
	case errors.Is(err, ErrClient):
		code, reason = http.StatusBadRequest, "BadRequest"
	case errors.Is(err, ErrUnreachable), errors.Is(err, ErrTarget):
		code, reason = http.StatusBadGateway, "InternalError"
	case errors.Is(err, ErrInternal):
		code, reason = http.StatusInternalServerError, "InternalError"
	}
	return answer{
		code: code, header: http.Header{"Content-Type": {"application/json"}}, body: failure(code, reason, explain(err)),
	}
}

// explain returns what a person is told about err.
func explain(err error) string {
	switch {
	case errors.Is(err, ErrUnreachable):
		return ErrUnreachable.Error()
	case errors.Is(err, ErrInternal):
		return ErrInternal.Error()
	case errors.Is(err, context.Canceled):
		return "the connection was ended"
	}
	return err.Error()
}

// maxReport bounds what is kept of a target's report.
const maxReport = 64 << 10

// read fills in what the target reported on the error stream: a Status in protocols 4 and 5.
func (r *Result) read(report []byte) {
	if len(report) == 0 {
		return
	}
	r.Reported, r.ExitCode = true, -1
	var s status
	if err := json.Unmarshal(report, &s); err != nil {
		r.Message = string(report)
		return
	}
	r.Message = s.Message
	switch {
	case s.Status == "Success":
		r.ExitCode = 0
	case s.Reason == "NonZeroExitCode" && s.Details != nil:
		for _, c := range s.Details.Causes {
			if code, err := strconv.Atoi(c.Message); err == nil && c.Type == "ExitCode" {
				r.ExitCode = code
			}
		}
	}
}
