// Package sqlclass says what a PostgreSQL statement does before it runs: its kind, every relation and
// column it reads or writes at any depth, the functions it calls, the session state it changes, and from
// which table columns each result column derives. It is pure: text and a catalog snapshot in, facts out.
// What it does not understand it reports as not understood, never as harmless.
package sqlclass
