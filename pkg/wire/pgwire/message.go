package pgwire

// Message is what can be appended to a slice as one whole frame. On an error the
// slice comes back without it.
type Message interface {
	Append(dst []byte) ([]byte, error)
}

// AppendAll appends the messages in order, or none of them and the first error.
func AppendAll(dst []byte, messages ...Message) ([]byte, error) {
	start := len(dst)
	for _, m := range messages {
		var err error
		if dst, err = m.Append(dst); err != nil {
			return dst[:start], err
		}
	}
	return dst, nil
}
