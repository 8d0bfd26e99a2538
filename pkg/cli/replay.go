package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/replay"
	"github.com/writhq/writ/pkg/version"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type sessionsWatchCmd struct {
	ID string `arg:"" help:"The session's id."`
}

// Help is shown below the usage.
func (sessionsWatchCmd) Help() string { return examples("writ sessions watch ses-01K...") }

// Run follows a session until it ends or the person has seen enough.
func (c *sessionsWatchCmd) Run(ctx context.Context, a *app) error {
	err := a.play(ctx, &accessv1.ReplaySessionRequest{Id: c.ID, Follow: true}, replay.Config{Printer: a.out})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type sessionsReplayCmd struct {
	ID      string        `arg:"" help:"The session's id."`
	Command string        `placeholder:"c5" help:"Only this command, by the name its records have."`
	Follow  bool          `help:"Go on until the session ends."`
	Speed   *float64      `placeholder:"1" xor:"pace" help:"How much faster than the session was."`
	NoDelay bool          `xor:"pace" help:"Do not wait between records."`
	Idle    time.Duration `placeholder:"3s" help:"The longest wait between two records."`
	Format  string        `enum:"text,asciicast,json,html" default:"text" help:"Form of the recording: ${enum}."`
	File    string        `placeholder:"FILE" help:"Write to a new file instead of standard output."`
}

// Help is shown below the usage.
func (sessionsReplayCmd) Help() string {
	return "Shows each command with its decision, what was recorded of its answer, and its outcome. What a terminal showed is " +
		"played on yours, without what would act on it; where standard output is no terminal, it is shown as text. With " +
		"--format asciicast one terminal is written for other players; with --format html, a page that needs nothing else and runs no script. With -o json the records come one per line and without pauses.\n\n" +
		examples("writ sessions replay ses-01K... --speed 4", "writ sessions replay ses-01K... --no-delay",
			"writ sessions replay ses-01K... --command c5 --format asciicast --file c5.cast",
			"writ sessions replay ses-01K... --format html --file session.html")
}

// Run replays a session.
func (c *sessionsReplayCmd) Run(ctx context.Context, a *app) error {
	speed, err := c.speed()
	if err != nil {
		return err
	}
	if c.File == "" {
		err = c.replay(ctx, a, a.out, speed)
	} else {
		err = toNewFile(c.File, func(out *output.Printer) error { return c.replay(ctx, a, out, speed) })
	}
	if c.Follow && ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *sessionsReplayCmd) speed() (float64, error) {
	speed := 1.0
	switch {
	case c.NoDelay:
		speed = 0
	case c.Speed != nil:
		speed = *c.Speed
	}
	if speed < 0 || speed == 0 && !c.NoDelay || math.IsNaN(speed) {
		return 0, misused("--no-delay does not wait at all", "the speed must be more than 0")
	}
	if c.Idle < 0 {
		return 0, misused("", "the longest wait must not be negative")
	}
	return speed, nil
}

// toNewFile has a new file written, which only its owner reads. A failure leaves no empty file.
func toNewFile(name string, write func(*output.Printer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return misused("name a file that is not there yet", "%s exists", name)
	}
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	out, err := output.New(f, 0)
	if err == nil {
		err = write(out)
	}
	if info, statErr := f.Stat(); err != nil && statErr == nil && info.Size() == 0 {
		_ = os.Remove(name)
	}
	closed := f.Close()
	return cmp.Or(err, closed)
}

func (c *sessionsReplayCmd) replay(ctx context.Context, a *app, out *output.Printer, speed float64) error {
	req := &accessv1.ReplaySessionRequest{Id: c.ID, Follow: c.Follow}
	switch {
	case a.json || c.Format == "json":
		return a.replayed(ctx, req, func(raw []byte) error {
			if c.Command != "" && !replay.Of(raw, c.Command) {
				return nil
			}
			return out.JSONLine(raw)
		})
	case c.Format == "asciicast":
		return a.cast(ctx, req, replay.CastConfig{Printer: out, Command: c.Command, Idle: c.Idle})
	case c.Format == "html":
		return a.page(ctx, req, replay.PageConfig{Out: out.Writer(), Session: c.ID, Command: c.Command, Made: "Made " +
			a.env.Now().UTC().Format("2006-01-02 15:04:05 UTC") + " with writ " + version.String() + "."})
	}
	cfg := replay.Config{Printer: out, Command: c.Command, Speed: speed, Idle: c.Idle, Sleep: a.env.Sleep, Now: a.env.Now}
	if a.env.Width > 0 && c.File == "" {
		cfg.Terminal = out.Writer()
	}
	return a.play(ctx, req, cfg)
}

// play shows the records of a session as they come.
func (a *app) play(ctx context.Context, req *accessv1.ReplaySessionRequest, cfg replay.Config) error {
	if a.json {
		return a.replayed(ctx, req, cfg.Printer.JSONLine)
	}
	player, err := replay.NewPlayer(cfg)
	if err != nil {
		return err
	}
	err = a.replayed(ctx, req, func(raw []byte) error { return player.Play(ctx, raw) })
	if closed := player.Close(); err == nil {
		err = closed
	}
	return unknownCommand(err)
}

// cast writes one command's streams as an asciicast.
func (a *app) cast(ctx context.Context, req *accessv1.ReplaySessionRequest, cfg replay.CastConfig) error {
	cast, err := replay.NewCast(cfg)
	if err != nil {
		return err
	}
	err = a.replayed(ctx, req, cast.Add)
	if closed := cast.Close(); err == nil {
		err = closed
	}
	if others := cast.Others(); len(others) > 0 {
		a.note("not written: %s; name one with --command", strings.Join(others, ", "))
	}
	return unknownCommand(err)
}

// page writes a session as HTML.
func (a *app) page(ctx context.Context, req *accessv1.ReplaySessionRequest, cfg replay.PageConfig) error {
	page, err := replay.NewPage(cfg)
	if err != nil {
		return err
	}
	err = a.replayed(ctx, req, page.Add)
	if err == nil || ctx.Err() != nil { // a session that was followed until now has a page too
		closed := page.Close()
		err = cmp.Or(err, closed)
	}
	return unknownCommand(err)
}

// replayed calls each with the records of a session, which are JSON of pkg/audit's form.
func (a *app) replayed(ctx context.Context, req *accessv1.ReplaySessionRequest, each func(raw []byte) error) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	stream, err := clients.Sessions.ReplaySession(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	came := false
	for stream.Receive() {
		came = true
		if err := each([]byte(stream.Msg().GetRecord().GetJson())); err != nil {
			return err
		}
	}
	if !came && stream.Err() == nil {
		a.note("session %s has no records yet; the edge sends them within seconds", req.GetId())
	}
	return stream.Err()
}

func unknownCommand(err error) error {
	if errors.Is(err, replay.ErrNone) {
		return failed("without --command all of the session is shown, with the names of its commands in -o json", "%w", err)
	}
	return err
}
