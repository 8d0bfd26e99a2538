package pgtunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// linger is how long a side that was told of the end may take to close.
const linger = 2 * time.Second

// relay copies both ways until either side ends. What the edge said last reaches the client before the client's
// connection is closed.
func relay(local, edge net.Conn) error {
	if err := errors.Join(local.SetDeadline(time.Time{}), edge.SetDeadline(time.Time{})); err != nil {
		return fmt.Errorf("clear deadline: %w", err)
	}
	up := make(chan struct{})
	go func() {
		defer close(up)
		_, _ = io.Copy(edge, local)
		endWrite(edge)
	}()
	_, _ = io.Copy(local, edge)
	endWrite(local)
	_ = local.SetReadDeadline(time.Now().Add(linger))
	_ = edge.SetWriteDeadline(time.Now())
	<-up
	return nil
}

// endWrite says that nothing more comes, and lets the other side go on for a moment.
func endWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(linger))
}
