// Package conformance replays SQL scripts over raw PostgreSQL connections and compares what comes
// back message by message. It is how the tests show that a client behind the gateway sees what a
// client of the database itself sees.
package conformance
