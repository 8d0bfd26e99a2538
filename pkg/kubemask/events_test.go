package kubemask

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// stepped gives one piece at a time, and says what had been written and flushed when it was asked for the next.
type stepped struct {
	pieces []string
	out    *bytes.Buffer
	flush  *int
	seen   []string
}

func (s *stepped) Read(b []byte) (int, error) {
	flushed := s.out.String()[:*s.flush]
	s.seen = append(s.seen, flushed)
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.pieces[0])
	s.pieces = s.pieces[1:]
	return n, nil
}

func TestEventsPassAtOnce(t *testing.T) {
	var out bytes.Buffer
	flushed, flushes := 0, 0
	src := &stepped{out: &out, flush: &flushed, pieces: []string{
		`{"type":"ADDED","object":{"data":{"a":"aG`, `V5"}}}`, "\n", `{"type":"BOOKMARK","object":{}}` + "\n" + `{"ty`, `pe":"X"}`,
	}}
	m := must(New(secrets(t)))
	rep, err := m.Events(&out, src, func() { flushed, flushes = out.Len(), flushes+1 })
	if err != nil {
		t.Fatal(err)
	}
	const first, second, third = `{"type":"ADDED","object":{"data":{"a":"Kioq"}}}`, `{"type":"BOOKMARK","object":{}}`, `{"type":"X"}`
	want := []string{"", "", first, first + "\n", first + "\n" + second + "\n", first + "\n" + second + "\n" + third}
	if !slices.Equal(src.seen, want) {
		t.Errorf("flushed %q, want %q", src.seen, want)
	}
	if flushes != 4 {
		t.Errorf("flushed %d times", flushes)
	}
	if rep.Items != 3 || rep.Bytes != int64(out.Len()) || rep.Masked["data.*"] != 1 {
		t.Errorf("%+v", rep)
	}
}

func TestEvents(t *testing.T) {
	cfg := secrets(t)
	cfg.Fields = append(cfg.Fields, paths(t, "type", "object.x")...)
	for in, want := range map[string]string{
		"": "", " \n ": " \n ",
		`{"object":{"data":{"a":"aGV5"}},"type":"ADDED"} {"type":"DELETED","object":{}}`:                        `{"object":{"data":{"a":"Kioq"}},"type":"ADDED"} {"type":"DELETED","object":{}}`,
		`{"type":"ADDED","object":{"type":"Opaque","metadata":{"name":"a"}}}`:                                   `{"type":"ADDED","object":{"type":"***","metadata":{"name":"a"}}}`,
		`{"type":"ADDED","object":{"kind":"Table","rows":[{"cells":["a"],"object":{"stringData":{"a":"b"}}}]}}`: `{"type":"ADDED","object":{"kind":"Table","rows":[{"cells":["a"],"object":{"stringData":{"a":"***"}}}]}}`,
		`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","message":"Invalid value: 1"}}`:            `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","message":"Invalid value: ***"}}`,
		`{"kind":"Secret","data":{"a":"aGV5"}}`:                                                                 `{"kind":"Secret","data":{"a":""}}`,
		`{"object":[{"data":{"a":"aGV5"}}]}`:                                                                    `{"object":[{"data":{"a":"aGV5"}}]}`,
	} {
		var out bytes.Buffer
		if _, err := testMasker(t, cfg).Events(&out, strings.NewReader(in), nil); err != nil || out.String() != want {
			t.Errorf("%s: %v\n%s, want\n%s", in, err, out.String(), want)
		}
	}
}
