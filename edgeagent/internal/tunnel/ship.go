package tunnel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const (
	maxInFlight = 4       // blocks sent and not acknowledged
	blockTarget = 1 << 20 // bytes of records after which a block is not made larger
)

// Spool is where the records to ship are.
type Spool interface {
	// Next returns the durable records behind those it returned before, and
	// waits until there is one.
	Next(ctx context.Context) (spool.Batch, error)
	// Ack gives up everything before pos.
	Ack(pos spool.Position) error
}

// ShipperConfig is what a Shipper needs. Everything without a stated default
// is required.
type ShipperConfig struct {
	Client *Client
	Spool  Spool
	// Linger is how long a small block waits for more records. Default 500 ms.
	Linger time.Duration
}

// Shipper brings records to the control plane, in order, and acknowledges them
// in the spool when they are durable there. A block that may have been lost on
// the way is sent again as it was.
type Shipper struct {
	cfg ShipperConfig
	enc *audit.BlockEncoder

	next uint64 // sequence of the next block

	mu      sync.Mutex
	pending []block // not acknowledged, oldest first
}

type block struct {
	sequence uint64
	end      spool.Position // to acknowledge; 0 within a batch of several blocks
	oldest   time.Time
	data     []byte
}

// NewShipper returns a shipper; one per process, since it numbers the blocks
// of a boot.
func NewShipper(cfg ShipperConfig) (*Shipper, error) {
	if cfg.Client == nil || cfg.Spool == nil {
		return nil, errors.New("shipper: a client and a spool are required")
	}
	if cfg.Linger <= 0 {
		cfg.Linger = 500 * time.Millisecond
	}
	enc, err := audit.NewBlockEncoder(cfg.Client.Edge())
	if err != nil {
		return nil, err
	}
	return &Shipper{cfg: cfg, enc: enc}, nil
}

// OldestUnshipped is the age of the oldest record that was read from the spool
// and is not acknowledged.
func (s *Shipper) OldestUnshipped() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return 0
	}
	return max(s.cfg.Client.cfg.Now().Sub(s.pending[0].oldest), 0)
}

// Run ships until ctx ends, or until the spool fails.
func (s *Shipper) Run(ctx context.Context) error {
	wait := newBackoff(250*time.Millisecond, maxBackoff)
	log := s.cfg.Client.cfg.Logger
	for {
		progress, err := s.shipOnce(ctx)
		var broken *spoolError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &broken):
			return fmt.Errorf("ship records: %w", broken.err)
		case errors.Is(err, errMoved):
			continue
		}
		if progress {
			wait.reset()
		}
		wait.fail()
		if code := status.Code(err); code == codes.PermissionDenied || code == codes.InvalidArgument {
			log.Error("RECORDS ARE REFUSED by the control plane; they stay in the spool", "error", err)
		} else {
			log.Warn("shipping records broke off", "error", err)
		}
		if sleep(ctx, wait.next()) != nil {
			return nil
		}
	}
}

// spoolError tells a failure of the spool from one of the connection.
type spoolError struct{ err error }

func (e *spoolError) Error() string { return e.err.Error() }

// shipOnce ships over one stream until it breaks.
func (s *Shipper) shipOnce(ctx context.Context) (progress bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn, moved := s.cfg.Client.current()
	stream, err := conn.tunnel.Ship(ctx)
	if err != nil {
		return false, err
	}
	acks := make(chan struct{}, 1)
	received := make(chan error, 1)
	go func() {
		err := s.takeAcks(stream, acks, &progress)
		cancel(err)
		received <- err
	}()
	go func() {
		select {
		case <-moved:
			cancel(errMoved)
		case <-ctx.Done():
		}
	}()
	err = s.sendAll(ctx, stream, acks)
	cause := context.Cause(ctx)
	cancel(err)
	reason := <-received
	var broken *spoolError
	switch {
	case errors.As(err, &broken), errors.As(reason, &broken):
		return progress, broken
	case errors.Is(cause, errMoved):
		return progress, errMoved
	}
	return progress, reason
}

type shipStream = grpc.BidiStreamingClient[edgev1.ShipRequest, edgev1.ShipResponse]

// takeAcks acknowledges in the spool what the control plane made durable.
func (s *Shipper) takeAcks(stream shipStream, acks chan<- struct{}, progress *bool) error {
	for {
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		end, n := s.acknowledged(resp.GetSequence())
		if n == 0 {
			continue
		}
		*progress = true
		if end > 0 {
			if err := s.cfg.Spool.Ack(end); err != nil {
				return &spoolError{err}
			}
		}
		select {
		case acks <- struct{}{}:
		default:
		}
	}
}

// acknowledged drops the blocks up to a sequence and returns up to where the
// spool may forget.
func (s *Shipper) acknowledged(sequence uint64) (end spool.Position, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(s.pending) && s.pending[n].sequence <= sequence {
		end = max(end, s.pending[n].end)
		n++
	}
	s.pending = append([]block(nil), s.pending[n:]...)
	return end, n
}

// sendAll sends what is pending, then what the spool brings.
func (s *Shipper) sendAll(ctx context.Context, stream shipStream, acks <-chan struct{}) error {
	for _, b := range s.unacknowledged() {
		if err := send(stream, s.cfg.Client.cfg.Boot, b); err != nil {
			return err
		}
	}
	for {
		for len(s.unacknowledged()) >= maxInFlight {
			select {
			case <-acks:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		records, end, err := s.collect(ctx)
		if err != nil {
			return err
		}
		blocks, err := s.pack(records, end)
		if err != nil {
			return &spoolError{err}
		}
		for _, b := range blocks {
			if err := send(stream, s.cfg.Client.cfg.Boot, b); err != nil {
				return err
			}
		}
	}
}

func send(stream shipStream, boot string, b block) error {
	return stream.Send(&edgev1.ShipRequest{Block: b.data, Sequence: b.sequence, Boot: boot})
}

func (s *Shipper) unacknowledged() []block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending
}

// collect reads a batch and, when it is small, what comes shortly after.
func (s *Shipper) collect(ctx context.Context) (records [][]byte, end spool.Position, err error) {
	b, err := s.cfg.Spool.Next(ctx)
	if err != nil {
		return nil, 0, spoolOr(ctx, err)
	}
	records, end = b.Records, b.End
	linger, cancel := context.WithTimeout(ctx, s.cfg.Linger)
	defer cancel()
	for size := sizeOf(records); size < blockTarget; size = sizeOf(records) {
		b, err := s.cfg.Spool.Next(linger)
		if err != nil {
			break // what was read is shipped; a failure shows again
		}
		records, end = append(records, b.Records...), b.End
	}
	return records, end, nil
}

func spoolOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &spoolError{err}
}

func sizeOf(records [][]byte) int {
	n := 0
	for _, r := range records {
		n += len(r)
	}
	return n
}

// pack makes blocks of records and puts them behind the pending ones. Only the
// last of them gives the spool's end, so that a batch is acknowledged whole.
func (s *Shipper) pack(records [][]byte, end spool.Position) ([]block, error) {
	var blocks []block
	for len(records) > 0 {
		n, size := 0, 0
		for n < len(records) && (n == 0 || size+audit.BlockCost(records[n]) <= audit.MaxBlockBytes) {
			size += audit.BlockCost(records[n])
			n++
		}
		data, err := s.enc.Encode(nil, records[:n])
		if err != nil {
			return nil, fmt.Errorf("pack block: %w", err)
		}
		h, _, err := audit.ReadBlockHeader(data)
		if err != nil {
			return nil, fmt.Errorf("pack block: %w", err)
		}
		s.next++
		blocks = append(blocks, block{sequence: s.next, oldest: h.First.Time(), data: data})
		records = records[n:]
	}
	blocks[len(blocks)-1].end = end
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, blocks...)
	return blocks, nil
}
