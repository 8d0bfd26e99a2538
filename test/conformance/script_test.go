package conformance

import (
	"slices"
	"testing"
)

func steps(s *Script) (out []string) {
	for {
		step, ok := s.Next()
		if !ok {
			return out
		}
		out = append(out, step.SQL+step.Meta)
	}
}

func TestScript(t *testing.T) {
	for text, want := range map[string][]string{
		"select 1; select ';'; select $$;$$; select \";\";":                              {"select 1", "select ';'", "select $$;$$", "select \";\""},
		"select 1 -- ; no\n; /* ; /* ; */ */ select 2":                                   {"select 1 \n", "/* ; /* ; */ */ select 2"},
		"select E'\\';' ; select 'it''s;'":                                               {"select E'\\';'", "select 'it''s;'"},
		"create function f() returns int begin atomic select 1; select 2; end; select 3": {"create function f() returns int begin atomic select 1; select 2; end", "select 3"},
		"begin; end;": {"begin", "end"},
		"create rule r as on insert to t do (a; b); x":      {"create rule r as on insert to t do (a; b)", "x"},
		"\\set v 'a''b'\nselect :'v', :v, :w, 1::int;":      {"select 'ab', ab, :w, 1::int"},
		"select 1 \\; select 2;":                            {"select 1 ; select 2"},
		"select 1 as x \\gset p_\nselect 2 \\g\n":           {"select 1 as x\\gset p_", "select 2\\g"},
		"\\if false\nselect 1;\n\\else\nselect 2;\n\\endif": {"select 2"},
		"\\d t\nselect 1;":                                  {"\\d t", "select 1"},
		"select 1;\n\\q\nselect 2;":                         {"select 1"},
	} {
		got := steps(NewScript(text, nil))
		for i := range want {
			want[i] = trim(want[i])
		}
		for i := range got {
			got[i] = trim(got[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func trim(s string) string {
	for len(s) > 0 && (s[len(s)-1] == '\n' || s[len(s)-1] == ' ') {
		s = s[:len(s)-1]
	}
	return s
}

func TestCopyData(t *testing.T) {
	s := NewScript("copy t from stdin;\n1\t2\n\\.\nselect 1;", nil)
	s.Next()
	if !s.HasCopyData() || string(s.CopyData()) != "1\t2\n" {
		t.Error("the rows were not found")
	}
	if step, ok := s.Next(); !ok || step.SQL != "select 1" || step.Line != 4 {
		t.Errorf("%+v %v", step, ok)
	}
}

func TestDifference(t *testing.T) {
	row := Message{Type: 'D', Body: []byte("x")}
	for name, c := range map[string]struct {
		a, b []Message
		same bool
	}{
		"equal":                     {[]Message{row}, []Message{row}, true},
		"other value":               {[]Message{row}, []Message{{Type: 'D', Body: []byte("y")}}, false},
		"one more":                  {[]Message{row, row}, []Message{row}, false},
		"places in the source":      {[]Message{{Type: 'E', Body: []byte("C1\x00L5\x00\x00")}}, []Message{{Type: 'E', Body: []byte("C1\x00L6\x00\x00")}}, true},
		"other message":             {[]Message{{Type: 'E', Body: []byte("Ma\x00\x00")}}, []Message{{Type: 'E', Body: []byte("Mb\x00\x00")}}, false},
		"notification of another":   {[]Message{{Type: 'A', Body: []byte("1234c\x00p\x00")}}, []Message{{Type: 'A', Body: []byte("5678c\x00p\x00")}}, true},
		"notification before a row": {[]Message{{Type: 'A', Body: []byte("1234c\x00p\x00")}, row}, []Message{row, {Type: 'A', Body: []byte("5678c\x00p\x00")}}, true},
	} {
		if got := Difference(c.a, c.b) == ""; got != c.same {
			t.Errorf("%s: same %v", name, got)
		}
	}
}

func FuzzScript(f *testing.F) {
	f.Add("select 1; \\set a b\nselect :a; $$ ' /* \" \\if")
	f.Fuzz(func(t *testing.T, text string) {
		steps(NewScript(text, nil)) // it ends, without a panic
	})
}
