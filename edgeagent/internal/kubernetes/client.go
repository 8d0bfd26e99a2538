package kubernetes

import (
	"sync"

	"github.com/writhq/writ/edgeagent/internal/enforce"
)

// client is one session with its way to the API server.
type client struct {
	session *enforce.Session
	cluster *cluster
	out     *outbound

	mu sync.Mutex
	// subjects are the reads that were asked for, by what they read.
	subjects map[string]*enforce.Subject
}

func (s *Server) attach(session *enforce.Session) (*client, error) {
	c := s.clusters.get(string(session.Resource().Name))
	if c == nil {
		return nil, &enforce.Denied{Cause: enforce.CauseControl, Reason: "this edge does not serve the cluster", Next: "connect to an edge that does"}
	}
	return &client{session: session, cluster: c, out: newOutbound(s, session, c)}, nil
}
