package sessions

import (
	"context"
	"fmt"

	"github.com/writhq/writ/controlplane/internal/store"
)

// CountLive returns how many live sessions each principal has, by its id.
func (b *Book) CountLive(ctx context.Context) (map[string]int, error) {
	entries, _, err := b.live.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("count sessions: %w", err)
	}
	counts := map[string]int{}
	for _, e := range entries {
		counts[e.Value.Principal.ID]++
	}
	return counts, nil
}
