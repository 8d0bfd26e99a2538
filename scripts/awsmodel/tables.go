package main

import (
	"bufio"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// The tables are what the models do not say, a row each with its reason behind " -- ".
//
//go:embed tables/*.txt
var tableFiles embed.FS

// row is a line of a table, split at white space.
type row struct {
	table  string
	fields []string
	reason string
	used   bool
}

type tables map[string][]*row

// readTables reads every table. A row without a reason is an error.
func readTables() (tables, error) {
	t := tables{}
	err := fs.WalkDir(tableFiles, "tables", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := tableFiles.ReadFile(name)
		if err != nil {
			return err
		}
		table := strings.TrimSuffix(e.Name(), ".txt")
		lines := bufio.NewScanner(strings.NewReader(string(b)))
		for n := 1; lines.Scan(); n++ {
			line := strings.TrimSpace(lines.Text())
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			rule, reason, ok := strings.Cut(line, " -- ")
			if !ok {
				return fmt.Errorf("%s:%d: a row without a reason", name, n)
			}
			t[table] = append(t[table], &row{table: table, fields: strings.Fields(rule), reason: reason})
		}
		return lines.Err()
	})
	return t, err
}

// rows returns the rows of a table whose first fields are key, and marks them as used.
func (t tables) rows(table string, key ...string) []*row {
	var found []*row
	for _, r := range t[table] {
		if len(r.fields) >= len(key) && slices.EqualFunc(r.fields[:len(key)], key, strings.EqualFold) {
			r.used = true
			found = append(found, r)
		}
	}
	return found
}

// row returns the one row of a table that starts with key, without key.
func (t tables) row(table string, key ...string) ([]string, bool) {
	found := t.rows(table, key...)
	if len(found) == 0 {
		return nil, false
	}
	return found[0].fields[len(key):], true
}

// unused lists the rows that matched nothing, which are mistakes or have been overtaken by the models.
func (t tables) unused() []string {
	var out []string
	for _, rows := range t {
		for _, r := range rows {
			if !r.used {
				out = append(out, r.table+": "+strings.Join(r.fields, " "))
			}
		}
	}
	slices.Sort(out)
	return out
}
