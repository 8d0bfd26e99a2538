package guard

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// kinds are the records of calls that are more than an administrative call.
var kinds = map[string]audit.Kind{
	accessv1connect.IdentityServiceLoginProcedure:          audit.KindLogin,
	accessv1connect.RequestServiceCreateRequestProcedure:   audit.KindRequest,
	accessv1connect.RequestServiceWithdrawRequestProcedure: audit.KindRequestDecided,
	accessv1connect.ApprovalServiceApproveProcedure:        audit.KindRequestDecided,
	accessv1connect.ApprovalServiceDenyProcedure:           audit.KindRequestDecided,
	accessv1connect.GrantServiceRevokeGrantProcedure:       audit.KindGrant,
	accessv1connect.GrantServiceReviewGrantProcedure:       audit.KindGrant,
	accessv1connect.PolicyServicePushPolicyProcedure:       audit.KindPolicy,
	accessv1connect.PolicyServiceRollbackPolicyProcedure:   audit.KindPolicy,
	accessv1connect.LockServiceCreateLockProcedure:         audit.KindLock,
	accessv1connect.LockServiceRemoveLockProcedure:         audit.KindLock,
}

// record writes one record of the call. phase is intent, began, refused, done or failed.
func (c *call) record(ctx context.Context, decision audit.Decision, phase string, cause error) error {
	p := c.caller.Principal
	r := audit.Record{
		Kind: audit.KindAdmin, Time: c.guard.cfg.Now(),
		Principal: p.ID, PrincipalKind: p.Kind, OnBehalfOf: p.OnBehalfOf, ClientAddr: c.peer,
		Decision: decision, Duration: max(0, c.guard.cfg.Now().Sub(c.began)),
		Attrs: append([]audit.Attr{{Name: "method", Value: c.procedure}, {Name: "phase", Value: phase}}, c.attrs...),
	}
	if kind, ok := kinds[c.procedure]; ok {
		r.Kind = kind
	}
	if phase == "refused" {
		r.Kind = audit.KindRefusal
	}
	if n := c.guard.suppressed.Swap(0); n > 0 {
		r.Attrs = append(r.Attrs, audit.Attr{Name: "refused_unrecorded", Value: strconv.FormatInt(n, 10)})
	}
	for _, a := range c.attrs {
		place(&r, a)
	}
	if cause != nil {
		seen := c.guard.sentence(cause)
		r.ErrorCode, r.Reason = seen.Code().String(), seen.Message()
		var denied *approvals.Denied
		if errors.As(cause, &denied) {
			r.Resource, r.PolicyIDs, r.Revision = denied.Resource, denied.PolicyIDs, denied.Revision
		}
	}
	return c.guard.cfg.Records.RecordAdmin(ctx, r)
}

// place puts what a record has a field for there as well.
func place(r *audit.Record, a audit.Attr) {
	switch a.Name {
	case "resource":
		r.Resource = a.Value
	case "grant", "grant.id", "approval.request.grant", "extend":
		r.Grant = a.Value
	case "request.id":
		r.RequestID = a.Value
	case "principal.name":
		if r.Principal == "" {
			r.Principal = a.Value
		}
	case "id":
		switch {
		case strings.HasPrefix(a.Value, "req-"):
			r.RequestID = a.Value
		case strings.HasPrefix(a.Value, "hold-"):
			r.HoldID = a.Value
		case strings.HasPrefix(a.Value, "grant-"):
			r.Grant = a.Value
		}
	}
}

// maxAttr bounds a recorded value in bytes.
const maxAttr = 2000

// fields reads the named fields of a message, in their order, leaving out empty ones.
func fields(msg any, names []string) []audit.Attr {
	m, ok := msg.(proto.Message)
	if !ok || m == nil || !m.ProtoReflect().IsValid() {
		return nil
	}
	var attrs []audit.Attr
	for _, name := range names {
		values := read(m.ProtoReflect(), strings.Split(name, "."))
		if text := strings.Join(values, ","); text != "" {
			attrs = append(attrs, audit.Attr{Name: name, Value: clip(text)})
		}
	}
	return attrs
}

// read follows a path of field names into messages and lists.
func read(m protoreflect.Message, path []string) []string {
	field := m.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	if field == nil || !m.Has(field) {
		return nil
	}
	value := m.Get(field)
	if !field.IsList() {
		return leaf(field, value, path[1:])
	}
	var all []string
	for i := range value.List().Len() {
		all = append(all, leaf(field, value.List().Get(i), path[1:])...)
	}
	return all
}

func leaf(field protoreflect.FieldDescriptor, v protoreflect.Value, path []string) []string {
	switch field.Kind() {
	case protoreflect.MessageKind:
		if len(path) > 0 {
			return read(v.Message(), path)
		}
		return []string{known(v.Message().Interface())}
	case protoreflect.EnumKind:
		if value := field.Enum().Values().ByNumber(v.Enum()); value != nil {
			return []string{string(value.Name())}
		}
		return []string{strconv.Itoa(int(v.Enum()))}
	case protoreflect.BytesKind:
		return nil
	}
	return []string{v.String()}
}

// known prints durations and times the way people write them, and no other message.
func known(m proto.Message) string {
	switch m := m.(type) {
	case *durationpb.Duration:
		return m.AsDuration().String()
	case *timestamppb.Timestamp:
		return m.AsTime().Format(time.RFC3339)
	}
	return ""
}

func clip(s string) string {
	if len(s) <= maxAttr {
		return s
	}
	return strings.ToValidUTF8(s[:maxAttr], "") + "..."
}
