package enforce

import (
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
)

// MaskRule is how values are masked as policy has it. What policy does not say is redacted.
func MaskRule(m policy.Mask) mask.Rule {
	switch m.Kind {
	case policy.MaskNull:
		return mask.Rule{Kind: mask.Null}
	case policy.MaskHash:
		return mask.Rule{Kind: mask.Hash}
	case policy.MaskPartial:
		return mask.Rule{Kind: mask.Partial, Keep: m.Keep}
	}
	return mask.Rule{Kind: mask.Redact}
}
