package aws

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/sqlclass"
)

// dialect says what an engine's SQL has besides what all have in common.
type dialect struct {
	named  bool // ":name" stands for a value
	marks  bool // "?" stands for a value
	quotes bool // what is in double quotes is a name for certain
}

// classifier reads SQL. It knows no catalog: names are as they are written.
var classifier = func() *sqlclass.Classifier {
	c, err := sqlclass.New(sqlclass.Config{MaxBytes: maxTexts})
	if err != nil {
		panic(err) // constant limits
	}
	return c
}()

// statements reads the SQL at a path of members: what every engine behind the API understands in the same way.
func statements(path string, d dialect) reader {
	return func(x *exchange) (reading, error) {
		texts, err := x.texts(path)
		if err != nil {
			return reading{}, err
		}
		r := reading{}
		r.Language = "sql"
		for _, text := range texts {
			if why := r.statement(text, d); why != "" {
				return reading{}, x.unreadText(why, "write one plain statement, with parameters for values")
			}
		}
		for _, list := range []*[]string{&r.Statements, &r.Tables, &r.Functions} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
		return r, nil
	}
}

// readable are the kinds of statements that are understood alike.
var readable = map[sqlclass.Kind]bool{
	sqlclass.KindSelect: true, sqlclass.KindInsert: true, sqlclass.KindUpdate: true, sqlclass.KindDelete: true, sqlclass.KindMerge: true,
	sqlclass.KindTruncate: true, sqlclass.KindDDL: true, sqlclass.KindDrop: true, sqlclass.KindGrant: true, sqlclass.KindCall: true,
}

// statement adds what one text does. It returns why the text is not understood, or "".
func (r *reading) statement(text string, d dialect) (why string) {
	plain, why := d.plain(text)
	if why != "" {
		return why
	}
	batch, err := classifier.Classify(plain, nil, nil)
	if err != nil {
		return "the SQL is not understood: " + err.Error()
	}
	if len(batch.Statements) != 1 {
		return "it has no statement, or several"
	}
	f := batch.Statements[0]
	switch {
	case !readable[f.Kind]:
		return "a statement of this kind (" + f.Kind.String() + ") is not passed on"
	case f.Secret:
		return "it carries a password"
	}
	r.verb(f.Kind.String())
	for _, a := range f.Accesses {
		r.verb(string(a.Action))
		name := a.Name
		if a.Schema != "" {
			name = a.Schema + "." + a.Name
		}
		r.Tables = append(r.Tables, name)
	}
	for _, fn := range f.Functions {
		if fn.Schema != "" && fn.Schema != "pg_catalog" || !harmless[fn.Name] {
			r.verb("call")
		}
		r.Functions = append(r.Functions, strings.TrimPrefix(fn.Schema+"."+fn.Name, "."))
	}
	r.WholeTable = r.WholeTable || !f.HasWhere
	return ""
}

// verb notes what a statement does; all but SELECT changes something, or may.
func (r *reading) verb(verb string) {
	r.Statements = append(r.Statements, verb)
	r.changes = r.changes || verb != "select"
}

// harmless are functions that no engine lets write or reach out. A call of any other counts as a change.
var harmless = wordSet(`abs acos approx_distinct approx_percentile arbitrary array_agg array_length asin atan atan2 avg bit_and bit_or bool_and
	bool_or btrim cardinality cbrt ceil ceiling char_length character_length coalesce concat concat_ws cos count cume_dist date date_add
	date_diff date_format date_part date_sub date_trunc dateadd datediff day day_of_week day_of_year degrees dense_rank every exp extract
	first_value floor format from_unixtime greatest group_concat hour if ifnull initcap isnull json_agg json_array_length json_build_object
	json_extract json_extract_scalar jsonb_agg lag last_value lead least left length listagg ln localtime localtimestamp log log10 log2 lower
	lpad ltrim max md5 median min minute mod month ntile now nullif nvl nvl2 octet_length overlay percent_rank percentile_cont
	percentile_disc pi position power quarter radians rank regexp_like replace reverse right round row_number rpad rtrim second sign sin
	split_part sqrt stddev stddev_pop stddev_samp string_agg strpos substr substring sum tan timezone to_char to_date to_number to_timestamp
	trim trunc truncate unix_timestamp unnest upper var_pop var_samp variance week year`)

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// query reads a text of a language that can do nothing but query, so long as it begins as a query does. What it reads is in the text.
func query(path string) reader {
	return func(x *exchange) (reading, error) {
		texts, err := x.texts(path)
		if err != nil {
			return reading{}, err
		}
		for _, text := range texts {
			first := strings.ToLower(strings.TrimLeft(text, " \t\r\n"))
			if !strings.HasPrefix(first, "select") && !strings.HasPrefix(first, "with") || !endsWord(strings.TrimPrefix(strings.TrimPrefix(first, "select"), "with")) {
				return reading{}, x.unreadText("the query does not begin with SELECT or WITH", "send a query without comments before it")
			}
			if _, after, more := strings.Cut(text, ";"); more && strings.TrimSpace(after) != "" {
				return reading{}, x.unreadText("there is more behind a semicolon", "send one query")
			}
		}
		r := reading{}
		r.Language, r.Statements, r.Unread = "sql", []string{"select"}, true
		return r, nil
	}
}

// restore takes an archived object back. With a query it would write what that finds into a bucket that the text names.
func restore(x *exchange) (reading, error) {
	for _, member := range []string{"SelectParameters", "OutputLocation"} {
		if x.params.Get("RestoreRequest").Get(member).Kind != awsmodel.NoValue {
			return reading{}, x.unreadText("it has a query whose answer goes elsewhere", "restore the object, and read it then")
		}
	}
	return reading{}, nil
}

func endsWord(s string) bool { return s != "" && strings.ContainsRune(" \t\r\n*(\"'", rune(s[0])) }

// insights reads a query of CloudWatch Logs, which reads the groups that the call names, so long as the text names no others.
func insights(x *exchange) (reading, error) {
	texts, err := x.texts("queryString")
	if err != nil {
		return reading{}, err
	}
	if l := x.params.Get("queryLanguage").Text; l != "" && l != "CWLI" {
		return reading{}, x.unreadText("a query in this language names its log groups in its text", "use Logs Insights QL")
	}
	isWord := func(c rune) bool {
		return c == '_' || c == '@' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c > '~'
	}
	for _, w := range strings.FieldsFunc(texts[0], func(c rune) bool { return !isWord(c) }) {
		if strings.EqualFold(w, "source") {
			return reading{}, x.unreadText("SOURCE in its text names log groups", "name them in logGroupNames")
		}
	}
	r := reading{}
	r.Statements = []string{"select"}
	return r, nil
}
