package approvals

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Intent is what a principal says it is about to do. It is a claim: people judge it, no policy reads it.
type Intent struct {
	Task     string            `json:"task,omitempty"` // one line
	Run      string            `json:"run,omitempty"`  // a URL or an id, one line
	Commands []string          `json:"commands,omitempty"`
	Details  map[string]string `json:"details,omitempty"`
}

// Limits of an intent. A person has to be able to read it.
const (
	maxTask        = 500      // bytes
	maxRun         = 1000     // bytes
	maxCommands    = 50       // entries
	maxCommand     = 4 << 10  // bytes of one
	maxDetails     = 30       // entries
	maxDetailKey   = 100      // bytes
	maxDetailValue = 1000     // bytes
	maxIntent      = 32 << 10 // bytes of all of it
)

// check refuses what is too long, or does not show as what it is.
func (i Intent) check() error {
	switch {
	case len(i.Task) > maxTask || !line(i.Task):
		return fmt.Errorf("%w: intent.task: too long, or not one line of plain text; use at most %d bytes", ErrInvalid, maxTask)
	case len(i.Run) > maxRun || !line(i.Run):
		return fmt.Errorf("%w: intent.run: too long, or not one line of plain text; use at most %d bytes", ErrInvalid, maxRun)
	case len(i.Commands) > maxCommands:
		return fmt.Errorf("%w: intent.commands: %d; use at most %d", ErrInvalid, len(i.Commands), maxCommands)
	case len(i.Details) > maxDetails:
		return fmt.Errorf("%w: intent.details: %d; use at most %d", ErrInvalid, len(i.Details), maxDetails)
	}
	for n, c := range i.Commands {
		if c == "" || len(c) > maxCommand || !plain(c) {
			return fmt.Errorf("%w: intent.commands[%d]: empty, too long or not plain text; use at most %d bytes", ErrInvalid, n, maxCommand)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(i.Details)) {
		if key == "" || len(key) > maxDetailKey || !line(key) {
			return fmt.Errorf("%w: intent.details: a name is empty, too long or not one line of plain text; use at most %d bytes", ErrInvalid, maxDetailKey)
		}
		if v := i.Details[key]; len(v) > maxDetailValue || !plain(v) {
			return fmt.Errorf("%w: intent.details.%s: too long or not plain text; use at most %d bytes", ErrInvalid, key, maxDetailValue)
		}
	}
	if n := i.size(); n > maxIntent {
		return fmt.Errorf("%w: intent: %d bytes; use at most %d", ErrInvalid, n, maxIntent)
	}
	return nil
}

func (i Intent) size() int {
	n := len(i.Task) + len(i.Run)
	for _, c := range i.Commands {
		n += len(c)
	}
	for k, v := range i.Details {
		n += len(k) + len(v)
	}
	return n
}

// IsZero reports whether nothing is said.
func (i Intent) IsZero() bool {
	return i.Task == "" && i.Run == "" && len(i.Commands) == 0 && len(i.Details) == 0
}

func (i Intent) clone() Intent {
	i.Commands, i.Details = slices.Clone(i.Commands), maps.Clone(i.Details)
	return i
}

func (d digest) intent(i Intent) {
	d.text(i.Task)
	d.text(i.Run)
	d.list(i.Commands)
	keys := slices.Sorted(maps.Keys(i.Details))
	d.number(int64(len(keys)))
	for _, k := range keys {
		d.text(k)
		d.text(i.Details[k])
	}
}

// line is plain text without a line break.
func line(s string) bool { return plain(s) && !strings.ContainsAny(s, "\n\t") && utf8.ValidString(s) }
