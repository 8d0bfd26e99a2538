package aws

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/sigv4"
)

// deniedOf words whatever went wrong as a refusal.
func deniedOf(err error) *enforce.Denied {
	var d *enforce.Denied
	var m *awsmodel.Error
	var s *sigv4.Error
	switch {
	case errors.As(err, &d):
		return d
	case errors.As(err, &m), errors.As(err, &s), isSignature(err):
		return &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: err.Error()}
	case errors.Is(err, errCredential):
		return &enforce.Denied{Cause: enforce.CauseControl, Reason: "no access key can be had for the account", Next: "ask whoever keeps the resource"}
	case errors.Is(err, errUnreachable):
		return &enforce.Denied{Cause: enforce.CauseControl, Reason: "AWS cannot be reached", Next: "try again"}
	}
	return &enforce.Denied{Cause: enforce.CauseControl, Reason: "the call cannot be served now", Next: "try again"}
}

func isSignature(err error) bool {
	for _, kind := range []error{sigv4.ErrAnonymous, sigv4.ErrSigV2, sigv4.ErrScheme, sigv4.ErrSignature, sigv4.ErrSkew, sigv4.ErrExpired} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// refuseUnread records and answers what is not understood.
func (x *exchange) refuseUnread(err error) {
	d := deniedOf(err)
	what := x.said.Scope.Service + " " + x.signed.Method + " " + x.signed.Path
	if !x.call.IsZero() {
		what = (&text{call: x.call, account: x.client.account.Account}).line()
	}
	c := &enforce.Command{Refuse: d, Text: unread(what), Digest: x.digest()}
	_, begun := x.client.session.Begin(x.req.Context(), c)
	var refused *enforce.Denied
	if !errors.As(begun, &refused) {
		err = &enforce.Denied{Cause: enforce.CauseRecord, Reason: "the call cannot be recorded, so it is refused"}
	}
	x.refuse(err)
}

// refuse answers as the service would.
func (x *exchange) refuse(err error) {
	if x.gone() {
		panic(http.ErrAbortHandler) // nobody is there to hear it
	}
	d := deniedOf(err)
	message := d.Error()
	if d.Next != "" && !strings.HasSuffix(message, d.Next) {
		message += "; " + d.Next
	}
	var s *sigv4.Error
	code, status := "AccessDeniedException", http.StatusForbidden
	switch {
	case errors.As(err, &s) || isSignature(err):
		code, status = sigv4.Code(err, x.dialect())
	case d.Cause == enforce.CauseIdentity:
		code, status = "ExpiredTokenException", http.StatusForbidden
	case d.Cause == enforce.CauseControl || d.Cause == enforce.CauseRecord || d.Cause == enforce.CauseUnknown:
		code, status = "ServiceUnavailable", http.StatusServiceUnavailable
	case x.dialect() != sigv4.JSON:
		code = "AccessDenied"
	}
	x.answerError(code, status, "writ: "+message)
}

// dialect is how the service words errors, as far as is known before the operation is.
func (x *exchange) dialect() sigv4.Dialect {
	service := ""
	if x.said != nil {
		service = x.said.Scope.Service
	}
	switch {
	case service == "s3", x.call.Service == "s3":
		return sigv4.S3
	case x.call.Protocol == awsmodel.EC2, service == "ec2":
		return sigv4.EC2
	case x.call.Protocol == awsmodel.Query, x.call.Protocol == awsmodel.RESTXML, strings.HasPrefix(x.req.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return sigv4.Query
	}
	return sigv4.JSON
}

type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
}

type queryError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

type ec2Error struct {
	XMLName   xml.Name `xml:"Response"`
	Code      string   `xml:"Errors>Error>Code"`
	Message   string   `xml:"Errors>Error>Message"`
	RequestID string   `xml:"RequestID"`
}

// answerError answers in the service's own form. Every call of this has a record of its own, if there is a session.
func (x *exchange) answerError(code string, status int, message string) {
	x.server.log.Debug("refuse call", "code", code, "status", status, "message", message)
	h := x.w.Header()
	id := "writ"
	if x.client != nil {
		id = "writ-" + x.client.session.ID()
	}
	h.Set("X-Amzn-Requestid", id)
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close") // a body that was not read is not waited for
	var body any
	switch x.dialect() {
	case sigv4.S3:
		body = s3Error{Code: code, Message: message, RequestID: id}
	case sigv4.EC2:
		body = ec2Error{Code: code, Message: message, RequestID: id}
	case sigv4.Query:
		body = queryError{Type: "Sender", Code: code, Message: message, RequestID: id}
	default:
		h.Set("Content-Type", "application/x-amz-json-1.1")
		h.Set("X-Amzn-Errortype", code)
		x.w.WriteHeader(status)
		_ = json.NewEncoder(x.w).Encode(map[string]string{"__type": code, "message": message, "Message": message})
		return
	}
	h.Set("Content-Type", "text/xml")
	x.w.WriteHeader(status)
	if x.req.Method == http.MethodHead {
		return
	}
	_, _ = x.w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(x.w).Encode(body)
}
