package stream

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

// streamType names a stream in the headers that open it.
const streamType = "Streamtype"

// spdySide is a side over SPDY/3.1: each channel is a stream, which the client opens.
type spdySide struct {
	serving bool // toward the client
	allowed [channels]bool
	in      *spdyframe.Reader
	held    *[room + chunk]byte
	current channel // of the frame whose payload is coming
	pending bool
	fin     bool // the current frame ends what comes on its stream

	mu     sync.Mutex
	out    *spdyframe.Writer
	ids    [channels]uint32 // 0: not open
	last   uint32           // highest number of a stream
	ceased [channels]bool   // nothing more is sent on it
	done   bool             // an end was sent
}

func newSpdySide(l *link, allowed [channels]bool, serving bool) (*spdySide, error) {
	s := &spdySide{serving: serving, allowed: allowed, out: spdyframe.NewWriter(l)}
	if !serving {
		s.in = spdyframe.NewClientReader(l.r)
		return s, nil
	}
	in, err := spdyframe.NewServerReader(l.r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInternal, err)
	}
	s.in = in
	return s, nil
}

func (s *spdySide) endCode() int { return spdyframe.GoAwayOK }

func (s *spdySide) next() (message, error) {
	s.release()
	for {
		if s.pending {
			m, err := s.payload()
			if err != nil || m.kind != 0 {
				return m, err
			}
			continue
		}
		if s.fin {
			s.fin = false
			return message{kind: finish, channel: s.current}, nil
		}
		f, err := s.in.Next()
		if err != nil {
			return message{}, err
		}
		m, err := s.read(f)
		if err != nil || m.kind != 0 {
			return m, err
		}
	}
}

// read returns the message that a frame is, if it is one.
func (s *spdySide) read(f spdyframe.Frame) (message, error) {
	switch f.Kind {
	case spdyframe.Open:
		return s.readOpen(f)
	case spdyframe.Ping:
		// Clients count with odd numbers, servers with even ones.
		if (f.Code%2 == 1) == s.serving {
			return message{kind: ping, code: int(f.Code)}, nil
		}
		return message{kind: pong, code: int(f.Code)}, nil
	case spdyframe.GoAway:
		return message{kind: end, code: int(f.Code)}, nil
	}
	c, ok, err := s.find(f.Stream)
	if !ok || err != nil {
		return message{}, err
	}
	switch f.Kind {
	case spdyframe.Data:
		s.current, s.pending, s.fin = c, f.Size > 0, f.Fin
	case spdyframe.Reply:
		if s.serving {
			return message{}, fmt.Errorf("%w: a client answers the opening of a stream", spdyframe.ErrProtocol)
		}
		s.current, s.fin = c, f.Fin
		return message{kind: opened, channel: c}, nil
	case spdyframe.Reset:
		return message{kind: reset, channel: c, code: int(f.Code)}, nil
	}
	return message{}, nil
}

// find returns the channel of a stream. Streams that were never opened are refused.
func (s *spdySide) find(id uint32) (channel, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, have := range s.ids {
		if have == id {
			return channel(c), true, nil
		}
	}
	return 0, false, fmt.Errorf("%w: a frame on a stream that is not open", spdyframe.ErrProtocol)
}

func (s *spdySide) readOpen(f spdyframe.Frame) (message, error) {
	c, err := s.channelOf(f.Header)
	if err != nil {
		return message{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.allowed[c] || s.ids[c] != 0:
		return message{}, fmt.Errorf("%w: a stream for %s that was not asked for, or a second one", spdyframe.ErrProtocol, c)
	case f.Stream%2 == 0 || f.Stream <= s.last:
		return message{}, fmt.Errorf("%w: streams are not numbered upward", spdyframe.ErrProtocol)
	}
	s.ids[c], s.last = f.Stream, f.Stream
	s.current, s.fin = c, f.Fin
	return message{kind: open, channel: c}, nil
}

func (s *spdySide) channelOf(h http.Header) (channel, error) {
	if v := h[streamType]; len(h) == 1 && len(v) == 1 {
		for c := range channels {
			if v[0] == c.String() {
				return c, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: a stream needs the header streamType with a known value, and no other", spdyframe.ErrProtocol)
}

// payload reads some of the current frame.
func (s *spdySide) payload() (message, error) {
	s.held = borrow()
	n, err := fill(s.in, s.held[:chunk])
	if err == io.EOF {
		s.pending = false
		s.release()
		return message{}, nil
	}
	return message{kind: data, channel: s.current, data: s.held[:n]}, err
}

func (s *spdySide) release() {
	if s.held != nil {
		giveBack(s.held)
		s.held = nil
	}
}

func (s *spdySide) send(m message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil
	}
	switch m.kind {
	case ping, pong:
		return s.out.Ping(uint32(m.code))
	case end:
		s.done = true
		return s.out.GoAway(s.last, uint32(m.code))
	case open:
		return s.open(m.channel)
	}
	id := s.ids[m.channel]
	if id == 0 || s.ceased[m.channel] {
		return nil
	}
	switch m.kind {
	case opened:
		return s.out.Reply(id)
	case data:
		b := borrow()
		defer giveBack(b)
		return s.out.Data(b[:], id, m.data, false)
	case finish:
		s.ceased[m.channel] = true
		return s.out.Data(nil, id, nil, true)
	case reset:
		s.ceased[m.channel] = true
		return s.out.Reset(id, uint32(m.code))
	}
	return nil
}

func (s *spdySide) open(c channel) error {
	s.last++
	if s.last%2 == 0 {
		s.last++
	}
	s.ids[c] = s.last
	return s.out.Open(s.last, spdyframe.Header{Name: "streamtype", Value: c.String()})
}
