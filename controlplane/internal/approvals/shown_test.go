package approvals

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/policy"
)

// TestShownCoversWhatIsShown changes one thing at a time: an approval of the one must be none of the other.
func TestShownCoversWhatIsShown(t *testing.T) {
	one, two, exact := 1.0, 2.0, int64(1)
	base := Hold{
		ID: "hold-1", Principal: policy.Principal{ID: "bot"}, Resource: "dev", Statement: "DELETE FROM t", Params: []string{"1"}, CreatedAt: time.Unix(1, 0),
		Preview: Preview{EstimatedRows: &one, ExactRows: &exact, Detail: "d", Plan: "p", Diff: "+1"}, Flags: []Flag{{Offset: 1, Length: 2, Kind: "bidi", Detail: "x"}},
	}
	for name, edit := range map[string]func(*Hold){
		"statement":   func(h *Hold) { h.Statement += " " },
		"parameter":   func(h *Hold) { h.Params = []string{"2"} },
		"estimate":    func(h *Hold) { h.Preview.EstimatedRows = &two },
		"no estimate": func(h *Hold) { h.Preview.EstimatedRows = nil },
		"no count":    func(h *Hold) { h.Preview.ExactRows = nil },
		"detail":      func(h *Hold) { h.Preview.Detail = "e" },
		"plan":        func(h *Hold) { h.Preview.Plan = "" },
		"diff":        func(h *Hold) { h.Preview.Diff = "+2" },
		"no flags":    func(h *Hold) { h.Flags = nil },
		"flag":        func(h *Hold) { h.Flags = []Flag{{Offset: 1, Length: 2, Kind: "bidi", Detail: "x", Param: 1}} },
		"flag's kind": func(h *Hold) { h.Flags = []Flag{{Offset: 1, Length: 2, Kind: "control", Detail: "x"}} },
		"ticket":      func(h *Hold) { h.Ticket = "T-1" },
		"intent":      func(h *Hold) { h.Intent.Task = "other" },
	} {
		h := base
		edit(&h)
		if h.shown() == base.shown() {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

func TestFlagsOfStatementAndParameters(t *testing.T) {
	h := Hold{Statement: "DELETE FROM ord\u0435rs", Params: []string{"ok", "a\u200bb"}}
	got := h.flags()
	if len(got) != 2 || got[0].Param != 0 || got[0].Offset != 15 || got[0].Kind != "confusable" || got[1].Param != 2 || got[1].Offset != 1 || got[1].Kind != "invisible" {
		t.Fatalf("got %+v", got)
	}
	h.Params = []string{strings.Repeat("\u200b", 500), "\u200b"}
	if got := h.flags(); len(got) != maxFlags {
		t.Fatalf("%d flags", len(got))
	}
}

// TestPreviewOfAnEdgeIsBounded has an edge send what no target answers.
func TestPreviewOfAnEdgeIsBounded(t *testing.T) {
	minus, nan, inf := int64(-1), math.NaN(), math.Inf(1)
	for _, rows := range []*float64{&nan, &inf} {
		p := Preview{EstimatedRows: rows, ExactRows: &minus, Detail: strings.Repeat("\u00e9", 10_000), Plan: strings.Repeat("x", 1<<20) + "\xff", Diff: strings.Repeat("y", 1<<20)}.bounded()
		if p.EstimatedRows != nil || p.ExactRows != nil || len(p.Detail) > maxDetail || len(p.Plan) > maxPlan || len(p.Diff) > maxDiff || !utf8.ValidString(p.Detail) {
			t.Errorf("%+v", p)
		}
	}
}
