package stream

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/wsframe"
)

// closeChannel begins a message that ends a channel, in v5.
const closeChannel = 255

// socketSide is a side over WebSocket: the first byte of a message is its channel.
type socketSide struct {
	serving bool // toward the client
	closes  bool // protocol v5
	in      *wsframe.Reader
	within  channel // of the message whose fragments are coming
	pending bool    // a frame has payload left
	byte    [1]byte // of a message's beginning
	held    *[room + chunk]byte

	mu   sync.Mutex
	out  *wsframe.Writer
	head [1]byte
	done bool // an end was sent
}

func newSocketSide(l *link, protocol string, serving bool) *socketSide {
	s := &socketSide{serving: serving, closes: protocol == protocolV5}
	if serving {
		s.in, s.out = wsframe.NewServerReader(l.r), wsframe.NewServerWriter(l)
	} else {
		s.in, s.out = wsframe.NewClientReader(l.r), wsframe.NewClientWriter(l, rand.Reader)
	}
	return s
}

func (s *socketSide) endCode() int { return wsframe.Normal }

func (s *socketSide) next() (message, error) {
	s.release()
	for {
		if s.pending {
			m, err := s.payload()
			if err != nil || m.kind != 0 {
				return m, err
			}
			continue
		}
		f, err := s.in.Next()
		if err != nil {
			return message{}, err
		}
		switch f.Op {
		case wsframe.Ping:
			return message{kind: ping, data: f.Payload}, nil
		case wsframe.Pong:
			return message{kind: pong, data: f.Payload}, nil
		case wsframe.Close:
			return message{kind: end, code: f.Code, data: f.Payload}, nil
		}
		if f.First {
			m, err := s.begin(f)
			if err != nil || m.kind != 0 {
				return m, err
			}
			continue
		}
		s.pending = f.Size > 0
	}
}

// begin reads the channel of a message. It returns a message for those without payload.
func (s *socketSide) begin(f wsframe.Frame) (message, error) {
	if f.Size == 0 {
		if f.Last {
			return message{}, nil
		}
		return message{}, fmt.Errorf("%w: a message whose first fragment is empty", wsframe.ErrProtocol)
	}
	first, err := s.readByte()
	if err != nil {
		return message{}, err
	}
	if first == closeChannel && s.closes {
		return s.close(f)
	}
	s.within = channel(first)
	if s.within >= channels {
		return message{}, fmt.Errorf("%w: a message on channel %d", wsframe.ErrProtocol, first)
	}
	s.pending = f.Size > 1
	if !s.pending && f.Last {
		return message{kind: data, channel: s.within}, nil
	}
	return message{}, nil
}

func (s *socketSide) close(f wsframe.Frame) (message, error) {
	if f.Size != 2 || !f.Last {
		return message{}, fmt.Errorf("%w: a malformed end of a channel", wsframe.ErrProtocol)
	}
	which, err := s.readByte()
	if err != nil {
		return message{}, err
	}
	if channel(which) >= channels {
		return message{}, fmt.Errorf("%w: an end of channel %d", wsframe.ErrProtocol, which)
	}
	return message{kind: finish, channel: channel(which)}, nil
}

func (s *socketSide) readByte() (byte, error) {
	_, err := io.ReadFull(s.in, s.byte[:])
	return s.byte[0], err
}

// payload reads some of the current frame.
func (s *socketSide) payload() (message, error) {
	s.held = borrow()
	n, err := fill(s.in, s.held[:chunk])
	if err == io.EOF {
		s.pending = false
		s.release()
		return message{}, nil
	}
	return message{kind: data, channel: s.within, data: s.held[:n]}, err
}

func (s *socketSide) release() {
	if s.held != nil {
		giveBack(s.held)
		s.held = nil
	}
}

func (s *socketSide) send(m message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil
	}
	switch m.kind {
	case data:
		b := borrow()
		defer giveBack(b)
		s.head[0] = byte(m.channel)
		return s.out.Write(b[:], wsframe.Binary, s.head[:], m.data)
	case finish:
		// Only clients end channels: a server ends them all with the connection.
		if s.closes && !s.serving && (m.channel == stdin || m.channel == resize) {
			return s.out.Write(nil, wsframe.Binary, nil, []byte{closeChannel, byte(m.channel)})
		}
	case ping:
		return s.out.Write(nil, wsframe.Ping, nil, m.data)
	case pong:
		return s.out.Write(nil, wsframe.Pong, nil, m.data)
	case end:
		s.done = true
		return s.out.WriteClose(m.code, m.data)
	}
	return nil
}
