package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/writhq/writ/pkg/sqlclass"
)

// asker runs one query and hands out its rows as text.
type asker func(sql string, row func(cols []string)) error

// system keeps what came with the database: it is much, and hardly ever changes.
type system struct{ latest atomic.Pointer[systemHalf] }

type systemHalf struct {
	print    string
	snapshot sqlclass.Snapshot
}

// read reads everything a snapshot needs. The search path has to be empty, so that definitions
// come with every name qualified.
func (y *system) read(ask asker) (sqlclass.Snapshot, error) {
	base, err := y.current(ask)
	if err != nil {
		return sqlclass.Snapshot{}, err
	}
	s, err := readHalf(ask, userRelations, userFunctions)
	if err != nil {
		return sqlclass.Snapshot{}, err
	}
	err = collect(ask, operatorsQuery, &s, addOperator)
	s.Relations, s.Functions = slices.Concat(base.Relations, s.Relations), slices.Concat(base.Functions, s.Functions)
	return s, err
}

// current returns the system's half, which it reads where it has changed. Nothing is locked
// meanwhile: ask may be a client's own connection and take its time.
func (y *system) current(ask asker) (sqlclass.Snapshot, error) {
	print := ""
	if err := ask(systemPrintQuery, func(c []string) { print = c[0] }); err != nil {
		return sqlclass.Snapshot{}, err
	}
	if half := y.latest.Load(); half != nil && half.print == print {
		return half.snapshot, nil
	}
	s, err := readHalf(ask, systemRelations, systemFunctions)
	if err != nil {
		return sqlclass.Snapshot{}, err
	}
	y.latest.Store(&systemHalf{print: print, snapshot: s})
	return s, nil
}

func readHalf(ask asker, relations, functions string) (s sqlclass.Snapshot, err error) {
	if err = collect(ask, relationsQuery+relations, &s, addRelation); err == nil {
		err = collect(ask, functionsQuery+functions, &s, addFunction)
	}
	return s, err
}

// collect adds every row of a query to a snapshot.
func collect(ask asker, sql string, s *sqlclass.Snapshot, add func(*sqlclass.Snapshot, []string) error) error {
	var bad error
	err := ask(sql, func(c []string) {
		if bad == nil {
			bad = add(s, c)
		}
	})
	return errors.Join(err, bad)
}

func addRelation(s *sqlclass.Snapshot, c []string) error {
	if len(c) != 9 || len(c[3]) != 1 {
		return errors.New("bad relation row")
	}
	r := sqlclass.Relation{OID: parseOID(c[0]), Schema: c[1], Name: c[2], Kind: c[3][0], RowType: parseOID(c[4]), ViewDef: c[5]}
	var cols []struct {
		Num       int16  `json:"num"`
		Name      string `json:"name"`
		Type      uint32 `json:"type"`
		NotNull   bool   `json:"notnull"`
		Dropped   bool   `json:"dropped"`
		Generated string `json:"generated"`
	}
	err := errors.Join(json.Unmarshal([]byte(c[6]), &cols), json.Unmarshal([]byte(c[7]), &r.InheritsFrom), json.Unmarshal([]byte(c[8]), &r.Rules))
	if err != nil {
		return fmt.Errorf("relation %s.%s: %w", c[1], c[2], err)
	}
	for _, a := range cols {
		r.Columns = append(r.Columns, sqlclass.Column{Num: a.Num, Name: a.Name, TypeOID: a.Type, NotNull: a.NotNull, Dropped: a.Dropped, Generated: a.Generated})
	}
	s.Relations = append(s.Relations, r)
	return nil
}

func addFunction(s *sqlclass.Snapshot, c []string) error {
	if len(c) != 8 || len(c[3]) != 1 {
		return errors.New("bad function row")
	}
	var more struct {
		Types      []uint32 `json:"types"`
		Modes      []string `json:"modes"`
		Names      []string `json:"names"`
		Defaults   int      `json:"defaults"`
		Returns    uint32   `json:"returns"`
		Set        bool     `json:"set"`
		Volatility string   `json:"volatility"`
		Definer    bool     `json:"definer"`
		Casts      bool     `json:"casts"`
		Config     []string `json:"config"`
	}
	if err := json.Unmarshal([]byte(c[5]), &more); err != nil {
		return fmt.Errorf("function %s.%s: %w", c[1], c[2], err)
	}
	f := sqlclass.Function{
		OID: parseOID(c[0]), Schema: c[1], Name: c[2], Kind: c[3][0], Language: c[4], Defaults: more.Defaults, ReturnType: more.Returns,
		ReturnsSet: more.Set, SecurityDef: more.Definer, Casts: more.Casts, Source: c[6], SQLBody: c[7], SearchPath: pathOf(more.Config),
	}
	if len(more.Volatility) == 1 {
		f.Volatility = more.Volatility[0]
	}
	for i, t := range more.Types {
		arg := sqlclass.Arg{TypeOID: t}
		if i < len(more.Names) {
			arg.Name = more.Names[i]
		}
		if i < len(more.Modes) && len(more.Modes[i]) == 1 {
			arg.Mode = more.Modes[i][0]
		}
		f.Args = append(f.Args, arg)
	}
	s.Functions = append(s.Functions, f)
	return nil
}

func addOperator(s *sqlclass.Snapshot, c []string) error {
	if len(c) != 3 {
		return errors.New("bad operator row")
	}
	s.Operators = append(s.Operators, sqlclass.Operator{Schema: c[0], Name: c[1], Function: parseOID(c[2])})
	return nil
}

// parseOID reads an OID; what is none becomes 0, which NewCatalog refuses.
func parseOID(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// pathOf returns the search_path that a function runs under, nil for the caller's.
func pathOf(config []string) []string {
	for _, c := range config {
		value, ok := strings.CutPrefix(c, "search_path=")
		if !ok {
			continue
		}
		path := []string{}
		for _, s := range strings.Split(value, ",") {
			if s = strings.Trim(strings.TrimSpace(s), `"`); s != "" {
				path = append(path, s)
			}
		}
		return path
	}
	return nil
}
