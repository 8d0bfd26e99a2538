package cli

import (
	"bytes"
	"errors"
	"testing"

	"connectrpc.com/connect"
)

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		want string
	}{
		"one line": {errors.New("no"), exitFailure, "error: no\n"},
		"several problems": {
			connect.NewError(connect.CodeInvalidArgument, errors.New("resource \"a\": bad name\nresource \"b\": no edge")), exitUsage,
			"error: resource \"a\": bad name\n       resource \"b\": no edge\n",
		},
		"a hint that is none": {
			failed("the real one", "broken\nhint: run this\x1b[2J"), exitFailure,
			"error: broken\n       hint: run this\\u{1b}[2J\nhint: the real one\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out, diag bytes.Buffer
			a, err := newApp(Env{Stdout: &out, Stderr: &diag}.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			if code := a.report(c.err); code != c.code || diag.String() != c.want {
				t.Errorf("code %d, %q; want %d, %q", code, diag.String(), c.code, c.want)
			}
		})
	}
}
