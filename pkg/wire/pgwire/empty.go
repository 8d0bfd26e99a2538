package pgwire

// bare holds the names of the messages without a body, of both directions. Sync,
// Flush and Terminate share no type byte with a backend message that has none.
var bare = map[byte]string{
	TypeSync:               "Sync",
	TypeFlush:              "Flush",
	TypeTerminate:          "Terminate",
	TypeCopyDone:           "CopyDone",
	TypeParseComplete:      "ParseComplete",
	TypeBindComplete:       "BindComplete",
	TypeCloseComplete:      "CloseComplete",
	TypeEmptyQueryResponse: "EmptyQueryResponse",
	TypeNoData:             "NoData",
	TypePortalSuspended:    "PortalSuspended",
}

// DecodeEmpty checks the body of a message that has none: Sync, Flush, Terminate,
// CopyDone, ParseComplete, BindComplete, CloseComplete, EmptyQueryResponse, NoData
// and PortalSuspended.
func DecodeEmpty(typ byte, body []byte) error {
	name, ok := bare[typ]
	if !ok {
		return &UnknownMessageError{Type: typ}
	}
	if len(body) > 0 {
		return malformed(name, "trailing bytes")
	}
	return nil
}

// AppendEmpty appends the frame of a message without a body.
func AppendEmpty(dst []byte, typ byte) []byte {
	return append(dst, typ, 0, 0, 0, 4)
}
