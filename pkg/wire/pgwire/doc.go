// Package pgwire is the codec of the PostgreSQL frontend/backend protocol 3.0 and
// 3.2, seen from a proxy: it frames both directions, decodes strictly and appends
// messages to byte slices. It knows bytes and io only, and allows nothing it does
// not understand.
//
// Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", and the
// server's src/include/libpq/{protocol,pqcomm,libpq}.h.
//
// A Decode error always wraps [ErrMalformed] and leaves the framing intact: the
// next frame can still be read. Strings are copied out of the frame. Byte slices
// alias it, so they are valid until the next call on the [Reader]; each type says
// which of its fields that concerns.
package pgwire
