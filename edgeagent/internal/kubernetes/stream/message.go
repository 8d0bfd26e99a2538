package stream

// channel is what a message belongs to, numbered as over WebSocket (k8s.io/apimachinery, util/remotecommand).
type channel uint8

const (
	stdin channel = iota
	stdout
	stderr
	report // how the command ended; "error" in the protocols
	resize
	channels
)

func (c channel) String() string {
	return [...]string{"stdin", "stdout", "stderr", "error", "resize", "none"}[min(c, channels)]
}

// output reports channels that the tap looks at on their way to the client.
func (c channel) output() bool { return c == stdout || c == stderr }

// kind says what a message does.
type kind uint8

const (
	open   kind = iota + 1 // the client begins a channel; SPDY only
	opened                 // the target took it
	data
	finish // nothing more is sent on the channel
	reset  // the channel ends in both directions; SPDY only
	ping
	pong
	end // the connection ends
)

// message is what the two protocols of exec and attach have in common.
type message struct {
	kind    kind
	channel channel
	data    []byte // of data, at most chunk; the payload of ping and pong, and the reason of an end, over WebSocket
	code    int    // of reset and end; the number of ping and pong over SPDY
}

// side is one end of an exec or attach. next is for one goroutine; what it returns is valid until the next call. send
// may be called by several. Messages that were sent after an end, or on a channel after its finish, are dropped.
type side interface {
	next() (message, error)
	send(m message) error
	// endCode is the code of an end that is no failure.
	endCode() int
}
