package kubernetes

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/kubeapi"
)

// status is what the API server answers in the place of an object (k8s.io/apimachinery/pkg/apis/meta/v1, Status).
type status struct {
	Kind       string         `json:"kind"`
	APIVersion string         `json:"apiVersion"`
	Metadata   struct{}       `json:"metadata"`
	Status     string         `json:"status"`
	Message    string         `json:"message"`
	Reason     string         `json:"reason"`
	Details    *statusDetails `json:"details,omitempty"`
	Code       int            `json:"code"`
}

type statusDetails struct {
	Name   string        `json:"name,omitempty"`
	Group  string        `json:"group,omitempty"`
	Kind   string        `json:"kind,omitempty"`
	Causes []statusCause `json:"causes,omitempty"`
}

type statusCause struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// reasons are the words of the API server for the codes that are answered here.
var reasons = map[int]string{
	http.StatusBadRequest: "BadRequest", http.StatusUnauthorized: "Unauthorized", http.StatusForbidden: "Forbidden",
	http.StatusMethodNotAllowed: "MethodNotAllowed", http.StatusNotAcceptable: "NotAcceptable",
	http.StatusRequestEntityTooLarge: "RequestEntityTooLarge", http.StatusUnsupportedMediaType: "UnsupportedMediaType",
	http.StatusTooManyRequests: "TooManyRequests", http.StatusInternalServerError: "InternalError",
	http.StatusBadGateway: "InternalError", http.StatusServiceUnavailable: "ServiceUnavailable",
}

func newStatus(code int, message string) status {
	return status{Kind: "Status", APIVersion: "v1", Status: "Failure", Message: "writ: " + message, Reason: reasons[code], Code: code}
}

// statusOf words a refusal for kubectl and its kin.
func statusOf(err error, r *kubeapi.Request) status {
	var d *enforce.Denied
	if !errors.As(err, &d) {
		d = &enforce.Denied{Cause: enforce.CauseControl, Reason: "the request cannot be served now", Next: "try again"}
	}
	message := d.Error()
	if d.Next != "" {
		message += "; " + d.Next
	}
	st := newStatus(codeOf(d, err), message)
	st.Details = &statusDetails{}
	if r != nil {
		st.Details.Name, st.Details.Group, st.Details.Kind = r.Name, r.Group, r.Resource
	}
	for _, id := range d.PolicyIDs {
		st.Details.Causes = append(st.Details.Causes, statusCause{Reason: "WritPolicy", Message: id})
	}
	if d.HoldID != "" {
		st.Details.Causes = append(st.Details.Causes, statusCause{Reason: "WritHold", Message: d.HoldID})
	}
	if d.Revision > 0 {
		st.Details.Causes = append(st.Details.Causes, statusCause{Reason: "WritRevision", Message: strconv.FormatUint(d.Revision, 10)})
	}
	return st
}

func codeOf(d *enforce.Denied, err error) int {
	switch d.Cause {
	case enforce.CauseIdentity:
		return http.StatusUnauthorized
	case enforce.CauseControl, enforce.CauseRecord, enforce.CauseUnknown:
		return http.StatusServiceUnavailable
	case enforce.CauseUnreadable:
		return unreadableCode(err)
	}
	return http.StatusForbidden
}

func unreadableCode(err error) int {
	switch {
	case errors.Is(err, kubeapi.ErrMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, kubeapi.ErrMediaType):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, kubeapi.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errNotAcceptable):
		return http.StatusNotAcceptable
	}
	return http.StatusBadRequest
}

// refusal is a *enforce.Denied with the error behind it, which chooses the code.
type refusal struct {
	*enforce.Denied
	cause error
}

// Unwrap returns both.
func (r *refusal) Unwrap() []error { return []error{r.Denied, r.cause} }

// write answers with the status.
func (st status) write(w http.ResponseWriter) {
	body, err := json.Marshal(st)
	if err != nil {
		body = []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache, private")
	if st.Code == http.StatusUnauthorized {
		h.Set("Www-Authenticate", "Bearer")
	}
	w.WriteHeader(st.Code)
	_, _ = w.Write(append(body, '\n'))
}
