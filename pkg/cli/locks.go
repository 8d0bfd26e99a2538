package cli

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type lockCmd struct {
	Target string        `arg:"" enum:"principal,resource,edge,grant" help:"What to stop: principal, resource, edge or grant."`
	Name   string        `arg:"" help:"Its name or id."`
	Reason string        `required:"" help:"Why; it is recorded and shown."`
	For    time.Duration `placeholder:"1h" help:"How long. Default: until it is removed."`
}

// Help is shown below the usage.
func (lockCmd) Help() string {
	return examples(`writ lock principal agent-7@example.com --reason "runs wild"`,
		`writ lock resource orders-db --reason "restore under way" --for 1h`)
}

var lockTargets = map[string]accessv1.LockTarget{
	"principal": accessv1.LockTarget_LOCK_TARGET_PRINCIPAL,
	"resource":  accessv1.LockTarget_LOCK_TARGET_RESOURCE,
	"edge":      accessv1.LockTarget_LOCK_TARGET_EDGE,
	"grant":     accessv1.LockTarget_LOCK_TARGET_GRANT,
}

// Run sets a lock.
func (c *lockCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	req := &accessv1.CreateLockRequest{Target: lockTargets[c.Target], Name: c.Name, Reason: c.Reason}
	switch {
	case c.For < 0:
		return misused("", "the duration must be longer than nothing")
	case c.For > 0:
		req.Ttl = durationpb.New(c.For)
	}
	resp, err := clients.Locks.CreateLock(ctx, req)
	if err != nil {
		return err
	}
	return a.say(resp, "locked %s %s as %s; %s ended", c.Target, c.Name, resp.GetLock().GetId(),
		count(int(resp.GetSessionsEnded()), "session"))
}

type unlockCmd struct {
	ID string `arg:"" help:"The lock's id."`
}

// Help is shown below the usage.
func (unlockCmd) Help() string { return examples("writ unlock lock-01K...") }

// Run removes a lock.
func (c *unlockCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Locks.RemoveLock(ctx, &accessv1.RemoveLockRequest{Id: c.ID})
	if err != nil {
		return err
	}
	return a.say(resp, "removed %s", c.ID)
}

type locksCmd struct {
	List locksListCmd `cmd:"" help:"List locks."`
}

type locksListCmd struct{}

// Help is shown below the usage.
func (locksListCmd) Help() string { return examples("writ locks list") }

// Run lists locks.
func (locksListCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Locks.ListLocks(ctx, &accessv1.ListLocksRequest{})
	if err != nil {
		return err
	}
	return a.show(resp, func() error {
		t := output.NewTable("ID", "STOPS", "NAME~", "REASON~", "BY~", "SINCE", "UNTIL")
		for _, l := range resp.GetLocks() {
			until := "removed"
			if l.GetExpiresAt() != nil {
				until = output.Relative(a.env.Now(), l.GetExpiresAt())
			}
			t.Add(l.GetId(), stateName(l.GetTarget()), l.GetName(), oneLine(l.GetReason()), l.GetCreatedBy(),
				output.Relative(a.env.Now(), l.GetCreatedAt()), until)
		}
		return a.out.Table("", t, "no locks")
	})
}
