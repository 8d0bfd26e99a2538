package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// forward speaks with a port of the worker, which shares this machine's, twice by each protocol.
func forward(ctx context.Context, c *clients) (any, error) {
	port, stop, err := greet()
	if err != nil {
		return nil, err
	}
	defer stop()
	u := c.subresource("portforward", nil)
	ws, err := portforward.NewSPDYOverWebsocketDialer(u, c.config)
	if err != nil {
		return nil, err
	}
	round, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: round}, http.MethodPost, u)
	saw := map[string]string{}
	for name, d := range map[string]httpstream.Dialer{"websocket": ws, "spdy": old, "either": portforward.NewFallbackDialer(ws, old, fallsBack)} {
		if saw[name], err = through(ctx, d, port); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return saw, nil
}

// greet serves on a port of this machine: it reads a line and answers.
func greet() (port int, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				line, _ := bufio.NewReader(conn).ReadString('\n')
				fmt.Fprintf(conn, "heard %s", line)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, l.Close, nil
}

func through(ctx context.Context, d httpstream.Dialer, port int) (string, error) {
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var problems bytes.Buffer
	f, err := portforward.New(d, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, &problems)
	if err != nil {
		return "", err
	}
	go func() { ended <- f.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return "", fmt.Errorf("it ended: %w", errorOr(err))
	case <-ctx.Done():
		return "", ctx.Err()
	}
	ports, err := f.GetPorts()
	var heard string
	for i := 0; i < 2 && err == nil; i++ {
		var more string
		more, err = say(ctx, ports[0].Local, fmt.Sprintf("call %d\n", i))
		heard += more
	}
	close(stop)
	return heard, errors.Join(err, <-ended)
}

func say(ctx context.Context, port uint16, line string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, line); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
