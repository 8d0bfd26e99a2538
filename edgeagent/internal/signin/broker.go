package signin

import (
	"context"

	"github.com/writhq/writ/edgeagent/internal/enforce"
)

// Broker mints credentials anew.
type Broker interface {
	// RefreshCredential returns a live session's credential, good for longer. The caller wipes it.
	RefreshCredential(ctx context.Context, session string) (enforce.Credential, error)
}
