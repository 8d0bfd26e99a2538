package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
)

type tiny struct {
	Size int `help:"Size."`
}

func TestExecute(t *testing.T) {
	boom, deep := errors.New("boom"), errors.New("deep")
	for name, c := range map[string]struct {
		args []string
		end  error
		code int
		want string
	}{
		"clean":     {code: 0},
		"cancelled": {end: fmt.Errorf("serve: %w", context.Canceled), code: 0},
		"failed":    {end: fmt.Errorf("%w: %w", boom, deep), code: 1, want: "error: boom: deep\n"},
		"several":   {end: errors.Join(boom, deep), code: 1, want: "error: boom\nerror: deep\n"},
		"hint":      {end: &Error{Message: "a", Hint: "b"}, code: 1, want: "error: a\nhint: b\n"},
		"bad flag":  {args: []string{"--size=x"}, code: 2},
		"help":      {args: []string{"--help"}, code: 0},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			spec := Spec{Name: "x", EnvPrefix: "X_", Stdout: &bytes.Buffer{}}
			code := execute(t.Context(), spec, c.args, nil, &stderr, func(context.Context, tiny) error { return c.end })
			if code != c.code || c.want != "" && stderr.String() != c.want {
				t.Fatalf("code %d, %q", code, stderr.String())
			}
		})
	}
}
