package tunnel

import (
	"strings"

	"github.com/writhq/writ/pkg/token"
)

// resourceOf is the resource of an audience that was verified.
func resourceOf(audience string) (string, error) {
	name, ok := strings.CutPrefix(audience, token.ResourceAudience(""))
	if !ok || name == "" {
		return "", token.ErrAudience
	}
	return name, nil
}
