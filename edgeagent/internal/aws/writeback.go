package aws

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/mask"
)

// writesBack refuses a change that would store what stands for a masked value: whoever reads something, changes a part of it and writes it
// all, would lose the rest.
func (x *exchange) writesBack() error {
	if !x.call.Mutates || !holdsPlaceholder(x.params.Value) {
		return nil
	}
	return &enforce.Denied{
		Cause: enforce.CauseMasked, Reason: "the call would store " + mask.Redacted + ", which stands for a value that is masked for you", Next: "leave the member out, or ask for a policy that lets you reveal it",
	}
}

// holdsPlaceholder reports whether a value, or one in it, is a placeholder: *** itself, what a partial mask leaves of what AWS calls
// sensitive, and both in base64.
func holdsPlaceholder(v awsmodel.Value) bool {
	for _, f := range v.Fields {
		f.Value.Sensitive = f.Value.Sensitive || v.Sensitive
		if holdsPlaceholder(f.Value) {
			return true
		}
	}
	for _, item := range v.Items {
		item.Sensitive = item.Sensitive || v.Sensitive
		if holdsPlaceholder(item) {
			return true
		}
	}
	switch v.Kind {
	case awsmodel.Bytes:
		return placeholder(v.Text, v.Sensitive)
	case awsmodel.Text:
		raw, err := base64.StdEncoding.DecodeString(v.Text)
		return placeholder(v.Text, v.Sensitive) || err == nil && v.Sensitive && placeholder(string(raw), true)
	}
	return false
}

func placeholder(text string, partial bool) bool {
	return text == mask.Redacted || partial && strings.HasPrefix(text, mask.Redacted) && utf8.RuneCountInString(text) <= len(mask.Redacted)+mask.MaxKeep
}
