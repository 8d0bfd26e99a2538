package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken from below the range that systems hand out by themselves, so that no other program is given one
// between the choice and the use.
const (
	firstPort = 18000
	lastPort  = 32000
)

// freePorts returns n ports of the loopback interface that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		held, ports = append(held, l), append(ports, port)
	}
	return nil, errors.New("no free port on the loopback interface")
}
