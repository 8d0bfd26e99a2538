package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// effect says in one line what a held command would change.
func effect(p *accessv1.Preview) string {
	var parts []string
	if p != nil && p.ExactRows != nil {
		parts = append(parts, rows(strconv.FormatInt(p.GetExactRows(), 10))+", counted")
	}
	if p != nil && p.EstimatedRows != nil {
		parts = append(parts, "about "+rows(strconv.FormatFloat(p.GetEstimatedRows(), 'f', 0, 64))+" by the planner's estimate")
	}
	text := strings.Join(parts, "; ")
	switch detail := p.GetDetail(); {
	case text == "":
		return detail
	case detail != "":
		text += " (" + detail + ")"
	}
	return text
}

func rows(n string) string {
	if n == "1" {
		return "1 row"
	}
	return n + " rows"
}

// maxFlagLines bounds the warnings that are listed one by one.
const maxFlagLines = 20

// showFlags lists what in the statement and its parameters deceives the eye.
func showFlags(p *output.Printer, flags []*accessv1.TextFlag) error {
	for i, f := range flags {
		if i == maxFlagLines {
			return p.Printf("warning: %d more characters are flagged", len(flags)-i)
		}
		where := "the statement"
		if f.GetParam() > 0 {
			where = fmt.Sprintf("$%d", f.GetParam())
		}
		if err := p.Printf("warning: %s in %s, byte %d: %s", f.GetKind(), where, f.GetOffset(), f.GetDetail()); err != nil {
			return err
		}
	}
	return nil
}
