package pgwire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgproto3"
)

// codec is what every message of this package can do.
type codec interface {
	Decode(body []byte) error
	Append(dst []byte) ([]byte, error)
}

// rows gives RowDescription and DataRow, which are read-only, an Append.
type rows struct{ RowDescription }

func (m *rows) Append(dst []byte) ([]byte, error) {
	var fields []Field
	for _, f := range m.Fields() {
		fields = append(fields, f)
	}
	return AppendRowDescription(dst, fields)
}

type row struct{ DataRow }

func (m *row) Append(dst []byte) ([]byte, error) {
	b := BeginDataRow(dst, m.Len())
	for _, v := range m.Values() {
		b.Value(v)
	}
	return b.End()
}

// peer is a message of pgproto3.
type peer interface {
	Decode(body []byte) error
	Encode(dst []byte) ([]byte, error)
}

// subject is one message: how to make an empty one, the peer's like it, and samples
// of the peer's.
type subject struct {
	name    string
	fresh   func() codec
	other   func() peer
	samples []peer
	// total says that every body is valid.
	total bool
}

func subjects() []subject {
	return []subject{
		{name: "Query", fresh: func() codec { return new(Query) }, other: func() peer { return new(pgproto3.Query) },
			samples: []peer{&pgproto3.Query{String: "select 1"}, &pgproto3.Query{}}},
		{name: "Parse", fresh: func() codec { return new(Parse) }, other: func() peer { return new(pgproto3.Parse) },
			samples: []peer{&pgproto3.Parse{Name: "s1", Query: "select $1", ParameterOIDs: []uint32{23, 0}}, &pgproto3.Parse{Query: "select 1"}}},
		{name: "Bind", fresh: func() codec { return new(Bind) }, other: func() peer { return new(pgproto3.Bind) },
			samples: []peer{
				&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{0, 1, 0},
					Parameters: [][]byte{[]byte("a"), nil, {}}, ResultFormatCodes: []int16{1}},
				&pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{1}, {2}}},
				&pgproto3.Bind{}}},
		{name: "Describe", fresh: func() codec { return new(Describe) }, other: func() peer { return new(pgproto3.Describe) },
			samples: []peer{&pgproto3.Describe{ObjectType: 'S', Name: "s"}, &pgproto3.Describe{ObjectType: 'P'}}},
		{name: "Close", fresh: func() codec { return new(Close) }, other: func() peer { return new(pgproto3.Close) },
			samples: []peer{&pgproto3.Close{ObjectType: 'P', Name: "p"}}},
		{name: "Execute", fresh: func() codec { return new(Execute) }, other: func() peer { return new(pgproto3.Execute) },
			samples: []peer{&pgproto3.Execute{Portal: "p", MaxRows: 100}, &pgproto3.Execute{}}},
		{name: "FunctionCall", fresh: func() codec { return new(FunctionCall) }, other: func() peer { return new(pgproto3.FunctionCall) },
			samples: []peer{&pgproto3.FunctionCall{Function: 123, ArgFormatCodes: []uint16{0, 1}, Arguments: [][]byte{[]byte("foo"), nil}, ResultFormatCode: 1}}},
		{name: "CopyData", fresh: func() codec { return new(CopyData) }, other: func() peer { return new(pgproto3.CopyData) }, total: true,
			samples: []peer{&pgproto3.CopyData{Data: []byte("1\ta\n")}, &pgproto3.CopyData{}}},
		{name: "CopyFail", fresh: func() codec { return new(CopyFail) }, other: func() peer { return new(pgproto3.CopyFail) },
			samples: []peer{&pgproto3.CopyFail{Message: "no"}}},
		{name: "CopyInResponse", fresh: func() codec { return &CopyResponse{Type: 'G'} }, other: func() peer { return new(pgproto3.CopyInResponse) },
			samples: []peer{&pgproto3.CopyInResponse{OverallFormat: 1, ColumnFormatCodes: []uint16{1, 1}}}},
		{name: "CopyOutResponse", fresh: func() codec { return &CopyResponse{Type: 'H'} }, other: func() peer { return new(pgproto3.CopyOutResponse) },
			samples: []peer{&pgproto3.CopyOutResponse{ColumnFormatCodes: []uint16{0}}}},
		{name: "CopyBothResponse", fresh: func() codec { return &CopyResponse{Type: 'W'} }, other: func() peer { return new(pgproto3.CopyBothResponse) },
			samples: []peer{&pgproto3.CopyBothResponse{}}},
		{name: "PasswordMessage", fresh: func() codec { return new(PasswordMessage) }, other: func() peer { return new(pgproto3.PasswordMessage) },
			samples: []peer{&pgproto3.PasswordMessage{Password: "token"}}},
		{name: "SASLInitialResponse", fresh: func() codec { return new(SASLInitialResponse) }, other: func() peer { return new(pgproto3.SASLInitialResponse) },
			samples: []peer{&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=x")}}},
		{name: "SASLResponse", fresh: func() codec { return new(SASLResponse) }, other: func() peer { return new(pgproto3.SASLResponse) }, total: true,
			samples: []peer{&pgproto3.SASLResponse{Data: []byte("c=biws")}}},
		{name: "Authentication", fresh: func() codec { return new(Authentication) }, other: nil,
			samples: []peer{&pgproto3.AuthenticationOk{}, &pgproto3.AuthenticationCleartextPassword{},
				&pgproto3.AuthenticationMD5Password{Salt: [4]byte{1, 2, 3, 4}},
				&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}},
				&pgproto3.AuthenticationSASLContinue{Data: []byte("r=")}, &pgproto3.AuthenticationSASLFinal{Data: []byte("v=")},
				&pgproto3.AuthenticationGSS{}, &pgproto3.AuthenticationGSSContinue{Data: []byte{9}}}},
		{name: "ParameterStatus", fresh: func() codec { return new(ParameterStatus) }, other: func() peer { return new(pgproto3.ParameterStatus) },
			samples: []peer{&pgproto3.ParameterStatus{Name: "TimeZone", Value: "UTC"}}},
		{name: "BackendKeyData", fresh: func() codec { return new(BackendKeyData) }, other: func() peer { return new(pgproto3.BackendKeyData) },
			samples: []peer{&pgproto3.BackendKeyData{ProcessID: 7, SecretKey: []byte{1, 2, 3, 4}}, &pgproto3.BackendKeyData{ProcessID: 7, SecretKey: make([]byte, 256)}}},
		{name: "ReadyForQuery", fresh: func() codec { return new(ReadyForQuery) }, other: func() peer { return new(pgproto3.ReadyForQuery) },
			samples: []peer{&pgproto3.ReadyForQuery{TxStatus: 'I'}, &pgproto3.ReadyForQuery{TxStatus: 'E'}}},
		{name: "NotificationResponse", fresh: func() codec { return new(NotificationResponse) }, other: func() peer { return new(pgproto3.NotificationResponse) },
			samples: []peer{&pgproto3.NotificationResponse{PID: 9, Channel: "c", Payload: "p"}}},
		{name: "ParameterDescription", fresh: func() codec { return new(ParameterDescription) }, other: func() peer { return new(pgproto3.ParameterDescription) },
			samples: []peer{&pgproto3.ParameterDescription{ParameterOIDs: []uint32{25, 20}}}},
		{name: "RowDescription", fresh: func() codec { return new(rows) }, other: func() peer { return new(pgproto3.RowDescription) },
			samples: []peer{&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{
				{Name: []byte("id"), TableOID: 16400, TableAttributeNumber: 1, DataTypeOID: 20, DataTypeSize: 8, TypeModifier: -1, Format: 1},
				{Name: []byte("?column?"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}}, &pgproto3.RowDescription{}}},
		{name: "DataRow", fresh: func() codec { return new(row) }, other: func() peer { return new(pgproto3.DataRow) },
			samples: []peer{&pgproto3.DataRow{Values: [][]byte{[]byte("1"), nil, {}}}, &pgproto3.DataRow{}}},
		{name: "CommandComplete", fresh: func() codec { return new(CommandComplete) }, other: func() peer { return new(pgproto3.CommandComplete) },
			samples: []peer{&pgproto3.CommandComplete{CommandTag: []byte("INSERT 0 5")}}},
		{name: "FunctionCallResponse", fresh: func() codec { return new(FunctionCallResponse) }, other: func() peer { return new(pgproto3.FunctionCallResponse) },
			samples: []peer{&pgproto3.FunctionCallResponse{Result: []byte("x")}, &pgproto3.FunctionCallResponse{}}},
		{name: "NegotiateProtocolVersion", fresh: func() codec { return new(NegotiateProtocolVersion) }, other: func() peer { return new(pgproto3.NegotiateProtocolVersion) },
			samples: []peer{&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: 196610, UnrecognizedOptions: []string{"_pq_.x"}}}},
		{name: "ErrorResponse", fresh: func() codec { return new(ErrorResponse) }, other: func() peer { return new(pgproto3.ErrorResponse) },
			samples: []peer{&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42501", Message: "m", Detail: "d", Hint: "h",
				Position: 3, InternalPosition: 4, InternalQuery: "q", Where: "w", SchemaName: "s", TableName: "t", ColumnName: "c",
				DataTypeName: "dt", ConstraintName: "n", File: "f", Line: 5, Routine: "r"}}},
		{name: "NoticeResponse", fresh: func() codec { return new(NoticeResponse) }, other: func() peer { return new(pgproto3.NoticeResponse) },
			samples: []peer{&pgproto3.NoticeResponse{Severity: "NOTICE", SeverityUnlocalized: "NOTICE", Code: "00000", Message: "m"}}},
	}
}

// unordered messages may hold their fields in another order than they came.
func unordered(name string) bool { return name == "ErrorResponse" || name == "NoticeResponse" }

func mustEncode(t testing.TB, m peer) []byte {
	t.Helper()
	frame, err := m.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestAgainstPgproto3(t *testing.T) {
	for _, s := range subjects() {
		for _, sample := range s.samples {
			frame := mustEncode(t, sample)
			ours := s.fresh()
			if err := ours.Decode(frame[HeaderSize:]); err != nil {
				t.Errorf("%s: decode theirs: %v", s.name, err)
				continue
			}
			again, err := ours.Append([]byte("before"))
			if err != nil {
				t.Errorf("%s: append: %v", s.name, err)
				continue
			}
			again = bytes.TrimPrefix(again, []byte("before"))
			if !unordered(s.name) && !bytes.Equal(again, frame) {
				t.Errorf("%s: appended %q, theirs is %q", s.name, again, frame)
			}
			if s.other == nil {
				continue
			}
			theirs := s.other()
			if err := theirs.Decode(again[HeaderSize:]); err != nil {
				t.Errorf("%s: they do not decode ours: %v", s.name, err)
			}
			if back := mustEncode(t, theirs); !bytes.Equal(back, frame) {
				t.Errorf("%s: theirs after ours is %q, want %q", s.name, back, frame)
			}
		}
	}
}

func TestDecodeRefusesEveryOtherLength(t *testing.T) {
	for _, s := range subjects() {
		if s.total {
			continue
		}
		for _, sample := range s.samples {
			body := mustEncode(t, sample)[HeaderSize:]
			for n := range body {
				m := s.fresh()
				if err := m.Decode(body[:n]); err == nil {
					// Keys and data that end with the frame are valid when shorter.
					if again, err := m.Append(nil); err != nil || !bytes.Equal(again[HeaderSize:], body[:n]) {
						t.Errorf("%s: accepted %d of %d bytes and read something else", s.name, n, len(body))
					}
				} else if !errors.Is(err, ErrMalformed) {
					t.Errorf("%s: %d bytes: %v", s.name, n, err)
				}
			}
			longer := append(bytes.Clone(body), 0)
			m := s.fresh()
			if err := m.Decode(longer); err == nil {
				if again, _ := m.Append(nil); !bytes.Equal(again[HeaderSize:], longer) {
					t.Errorf("%s: ignored a trailing byte", s.name)
				}
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name string
		into codec
		body string
	}{
		{"format code 2", new(Bind), "\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00"},
		{"two formats for one parameter", new(Bind), "\x00\x00\x00\x02\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00"},
		{"value size -2", new(Bind), "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00"},
		{"value size 2^31-1", new(row), "\x00\x01\x7f\xff\xff\xff"},
		{"value size -2 in a row", new(row), "\x00\x01\xff\xff\xff\xfe"},
		{"count without values", new(row), "\xff\xff"},
		{"65535 parameters in two bytes", new(Parse), "\x00\x00\xff\xff"},
		{"kind X", new(Describe), "Xname\x00"},
		{"status X", new(ReadyForQuery), "X"},
		{"key of 3 bytes", new(BackendKeyData), "\x00\x00\x00\x01abc"},
		{"key of 257 bytes", new(BackendKeyData), "\x00\x00\x00\x01" + string(make([]byte, 257))},
		{"unknown authentication", new(Authentication), "\x00\x00\x00\x63"},
		{"second string in a Query", new(Query), "select 1\x00drop table t\x00"},
		{"position is not a number", new(ErrorResponse), "SERROR\x00Pabc\x00\x00"},
		{"two codes", new(ErrorResponse), "C42501\x00C00000\x00\x00"},
		{"four billion options", new(NegotiateProtocolVersion), "\x00\x03\x00\x02\xff\xff\xff\xff"},
	}
	for _, tt := range tests {
		if err := tt.into.Decode([]byte(tt.body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	tests := []struct {
		name string
		m    Message
	}{
		{"NUL in a statement", &Query{SQL: "select 1\x00; drop table t"}},
		{"NUL in a password", &PasswordMessage{Password: []byte("a\x00b")}},
		{"65536 parameters", &Bind{Params: make([][]byte, 65536)}},
		{"no kind", &Describe{}},
		{"no severity", &ErrorResponse{Diagnostic{Code: StateInternalError, Message: "m"}}},
		{"NUL in a hint", &ErrorResponse{Diagnostic{Severity: SeverityError, Code: StateInternalError, Message: "m", Hint: "\x00"}}},
		{"known code as unknown", &NoticeResponse{Diagnostic{Severity: SeverityNotice, Code: StateSuccess, Message: "m", Unknown: []DiagnosticField{{'M', "x"}}}}},
		{"no status", &ReadyForQuery{}},
		{"no key", &BackendKeyData{ProcessID: 1}},
		{"copy type", &CopyResponse{Type: 'Q'}},
		{"empty mechanism", &Authentication{Kind: AuthSASL, Mechanisms: []string{""}}},
		{"unknown kind", &Authentication{Kind: 99}},
	}
	for _, tt := range tests {
		got, err := tt.m.Append([]byte("kept"))
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownMessage) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if string(got) != "kept" {
			t.Errorf("%s: left %q behind", tt.name, got)
		}
	}
}

// The class of CVE-2024-27304: more than the length can say is refused, and before it
// is copied.
func TestAppendRefusesTooLarge(t *testing.T) {
	huge := make([]byte, 1<<30)
	for _, m := range []Message{
		&Bind{Params: [][]byte{huge}},
		&Bind{Params: [][]byte{huge, huge, huge, huge, []byte("x")}},
		&CopyData{Data: huge}, &FunctionCallResponse{Result: huge},
	} {
		if got, err := m.Append([]byte("kept")); !errors.Is(err, ErrTooLarge) || string(got) != "kept" {
			t.Errorf("%T: %d bytes, %v", m, len(got), err)
		}
	}
	b := BeginDataRow([]byte("kept"), 2)
	b.Value([]byte("a"))
	b.Value(huge)
	if got, err := b.End(); !errors.Is(err, ErrTooLarge) || string(got) != "kept" {
		t.Errorf("row: %d bytes, %v", len(got), err)
	}
}

func TestAppendAllIsAllOrNothing(t *testing.T) {
	got, err := AppendAll([]byte("kept"), &ReadyForQuery{Status: TxIdle}, &Query{SQL: "\x00"})
	if err == nil || string(got) != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = AppendAll(nil, &CommandComplete{Tag: "BEGIN"}, &ReadyForQuery{Status: TxActive})
	if want := "C\x00\x00\x00\x0aBEGIN\x00Z\x00\x00\x00\x05T"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEmpty(t *testing.T) {
	for typ, name := range bare {
		frame := AppendEmpty(nil, typ)
		if err := DecodeEmpty(typ, frame[HeaderSize:]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := DecodeEmpty(typ, []byte{0}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: a byte too many: %v", name, err)
		}
	}
	if err := DecodeEmpty(TypeQuery, nil); !errors.Is(err, ErrUnknownMessage) {
		t.Errorf("Query: %v", err)
	}
}

func TestBindFormats(t *testing.T) {
	b := Bind{ParamFormats: []Format{1}, ResultFormats: []Format{0, 1}}
	if b.ParamFormat(0) != FormatBinary || b.ParamFormat(7) != FormatBinary {
		t.Error("one format stands for all parameters")
	}
	if b.ResultFormat(0) != FormatText || b.ResultFormat(1) != FormatBinary {
		t.Error("result formats go by column")
	}
	if (&Bind{}).ResultFormat(3) != FormatText {
		t.Error("no format means text")
	}
}

func TestCommandCompleteSplit(t *testing.T) {
	tests := []struct {
		tag, verb string
		rows      int64
	}{
		{"SELECT 5", "SELECT", 5}, {"INSERT 0 12", "INSERT", 12}, {"INSERT 16400 1", "INSERT", 1},
		{"UPDATE 0", "UPDATE", 0}, {"COPY 3", "COPY", 3}, {"CREATE TABLE", "CREATE TABLE", -1},
		{"BEGIN", "BEGIN", -1}, {"", "", -1}, {"SELECT x", "SELECT x", -1}, {"SELECT -1", "SELECT -1", -1},
		{"DROP MATERIALIZED VIEW", "DROP MATERIALIZED VIEW", -1}, {"MERGE 9223372036854775807", "MERGE", 9223372036854775807},
	}
	for _, tt := range tests {
		m := CommandComplete{Tag: tt.tag}
		if verb, rows := m.Split(); verb != tt.verb || rows != tt.rows {
			t.Errorf("%q: %q, %d", tt.tag, verb, rows)
		}
	}
}

func TestRowDescriptionFields(t *testing.T) {
	want := []Field{
		{Name: "ssn", TableOID: 16400, Attribute: 3, TypeOID: OIDText, TypeSize: -1, TypeMod: -1, Format: FormatText},
		{Name: "", TypeOID: OIDInt4, TypeSize: 4, TypeMod: -1, Format: FormatBinary},
	}
	frame, err := AppendRowDescription(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	var m RowDescription
	if err := m.Decode(frame[HeaderSize:]); err != nil {
		t.Fatal(err)
	}
	var got []Field
	for i, f := range m.Fields() {
		if i != len(got) {
			t.Errorf("index %d", i)
		}
		got = append(got, f)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, f := range m.Raw() {
		if string(f.Name()) != want[i].Name || f.TableOID() != want[i].TableOID || f.Attribute() != want[i].Attribute {
			t.Errorf("raw field %d: %+v", i, f.Field())
		}
	}
	if err := m.Decode([]byte("\x00\x01a")); err == nil || m.Len() != 0 {
		t.Error("a failed decode leaves fields behind")
	}
}

func TestRowBuilder(t *testing.T) {
	b := BeginDataRow([]byte("kept"), 3)
	b.Value([]byte("a"))
	b.Shut(append(b.Open(), "masked"...))
	b.Value(nil)
	got, err := b.End()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := AppendDataRow([]byte("kept"), [][]byte{[]byte("a"), []byte("masked"), nil})
	if !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, values := range []int{0, 2} {
		short := BeginDataRow([]byte("kept"), 1)
		for range values {
			short.Value(nil)
		}
		if got, err := short.End(); !errors.Is(err, ErrMalformed) || string(got) != "kept" {
			t.Errorf("%d values of 1: %q, %v", values, got, err)
		}
	}
}

func TestRowWalker(t *testing.T) {
	frame, err := AppendDataRow(nil, [][]byte{[]byte("a"), nil, {}})
	if err != nil {
		t.Fatal(err)
	}
	w := WalkRow(frame[HeaderSize:])
	if w.Len() != 3 || w.Err() == nil {
		t.Error("an unread row is not known to be good")
	}
	var got [][]byte
	for v, ok := w.Next(); ok; v, ok = w.Next() {
		got = append(got, v)
	}
	if err := w.Err(); err != nil || len(got) != 3 || string(got[0]) != "a" || got[1] != nil || got[2] == nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, body := range []string{"", "\x00", "\x00\x01", "\x00\x01\xff\xff\xff\xfe", "\x00\x01\x00\x00\x00\x02a", "\x00\x00x"} {
		w := WalkRow([]byte(body))
		for _, ok := w.Next(); ok; _, ok = w.Next() {
		}
		if err := w.Err(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestDiagnosticKeepsUnknownFields(t *testing.T) {
	in := ErrorResponse{Diagnostic{Severity: SeverityError, LocalSeverity: "FEHLER", Code: StateInsufficientPrivilege,
		Message: "m", Position: 2, Unknown: []DiagnosticField{{'z', "new"}}}}
	frame, err := in.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var out ErrorResponse
	if err := out.Decode(frame[HeaderSize:]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
