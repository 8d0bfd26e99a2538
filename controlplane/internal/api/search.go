package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/guard"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// Searcher finds records, newest first, a part at a time.
type Searcher interface {
	Search(ctx context.Context, q auditlog.Query) (auditlog.Found, error)
}

// SearchRecords finds records. A part of them that is damaged is in the answer as a record of kind "damage".
func (s auditService) SearchRecords(ctx context.Context, req *accessv1.SearchRecordsRequest) (*accessv1.SearchRecordsResponse, error) {
	from, err := instant("from", req.GetFrom())
	if err != nil {
		return nil, err
	}
	until, err := instant("until", req.GetUntil())
	if err != nil {
		return nil, err
	}
	after, err := openPage(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	query := auditlog.Query{
		Principal: req.GetPrincipal(), Resource: req.GetResource(), Session: req.GetSession(), Kind: req.GetKind(),
		Decision: req.GetDecision(), PolicyID: req.GetPolicyId(), Text: req.GetText(), From: from, Until: until,
		Table: req.GetTable(), Action: req.GetAction(), Limit: int(req.GetPageSize()), After: after,
	}
	if req.GetWithoutReads() {
		query.Without = guard.OnlyReads
	}
	found, err := s.cfg.Search.Search(ctx, query)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.SearchRecordsResponse{NextPageToken: sealPage(found.Next), SearchedBackTo: convert.Time(found.Back)}
	for _, h := range found.Hits {
		out, err := hit(h)
		if err != nil {
			return nil, err
		}
		resp.Records = append(resp.Records, out)
	}
	return resp, nil
}

// instant is zero for nil.
func instant(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, fmt.Errorf("%w: %s is no time", auditlog.ErrQuery, field)
	}
	return t.AsTime(), nil
}

func hit(h auditlog.Hit) (*accessv1.Record, error) {
	if h.Damage == nil {
		return record(h.Record)
	}
	text, err := json.Marshal(map[string]string{"kind": "damage", "block": h.Block, "reason": h.Damage.Error()})
	return &accessv1.Record{Kind: "damage", Time: convert.Time(h.At()), Json: string(text)}, err
}
