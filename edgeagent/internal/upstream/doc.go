// Package upstream dials a target PostgreSQL and signs in to it: it resolves a name
// once, refuses addresses that no target may have, dials exactly what it checked,
// and hands over the authenticated connection. The credential never leaves it.
package upstream
