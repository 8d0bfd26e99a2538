package pgwire

// ParameterStatus reports a setting.
type ParameterStatus struct{ Name, Value string }

// BackendKeyData gives what a CancelRequest must name. SecretKey has 4 bytes under
// protocol 3.0, up to 256 under 3.2, and aliases the frame.
type BackendKeyData struct {
	ProcessID uint32
	SecretKey []byte
}

// TxStatus is a session's state between commands.
type TxStatus byte

// The three states.
const (
	TxIdle   TxStatus = 'I'
	TxActive TxStatus = 'T'
	TxFailed TxStatus = 'E'
)

// ReadyForQuery ends every command cycle.
type ReadyForQuery struct{ Status TxStatus }

// NotificationResponse is a NOTIFY of another session.
type NotificationResponse struct {
	ProcessID uint32
	Channel   string
	Payload   string
}

// Decode reads a frame's body.
func (m *ParameterStatus) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Name, m.Value = c.string(), c.string()
	return c.end("ParameterStatus")
}

// Append appends the whole frame.
func (m *ParameterStatus) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeParameterStatus, "ParameterStatus")
	e.string(m.Name)
	e.string(m.Value)
	return e.end()
}

// Decode reads a frame's body.
func (m *BackendKeyData) Decode(body []byte) error {
	c := cursor{rest: body}
	m.ProcessID = c.uint32()
	m.SecretKey = cancelKey(&c)
	return c.end("BackendKeyData")
}

// Append appends the whole frame.
func (m *BackendKeyData) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeBackendKeyData, "BackendKeyData")
	if n := len(m.SecretKey); n < MinCancelKeyLength || n > MaxCancelKeyLength {
		e.bad = "cancel key of a wrong size"
	}
	e.uint32(m.ProcessID)
	e.bytes(m.SecretKey)
	return e.end()
}

// Decode reads a frame's body.
func (m *ReadyForQuery) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Status = TxStatus(c.uint8())
	if !m.Status.valid() {
		c.fail("unknown transaction status")
	}
	return c.end("ReadyForQuery")
}

// Append appends the whole frame.
func (m *ReadyForQuery) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeReadyForQuery, "ReadyForQuery")
	if !m.Status.valid() {
		e.bad = "unknown transaction status"
	}
	e.uint8(byte(m.Status))
	return e.end()
}

func (s TxStatus) valid() bool { return s == TxIdle || s == TxActive || s == TxFailed }

// Decode reads a frame's body.
func (m *NotificationResponse) Decode(body []byte) error {
	c := cursor{rest: body}
	m.ProcessID = c.uint32()
	m.Channel, m.Payload = c.string(), c.string()
	return c.end("NotificationResponse")
}

// Append appends the whole frame.
func (m *NotificationResponse) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeNotificationResponse, "NotificationResponse")
	e.uint32(m.ProcessID)
	e.string(m.Channel)
	e.string(m.Payload)
	return e.end()
}
