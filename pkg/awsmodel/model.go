package awsmodel

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"

	"github.com/writhq/writ/pkg/awsmodel/data"
	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// Model knows the services. A service is unpacked when a request first asks for it, and kept. It is safe for
// concurrent use.
type Model struct {
	sources  []string
	services []*service
	byScope  map[string][]*service
	byID     map[string]*service
	hosts    hosts

	partitions []modelfile.Partition
}

// service is one service, before and after it is unpacked.
type service struct {
	modelfile.Head
	unpack func() (*api, error)
}

// Open reads the head of the embedded models.
func Open() (*Model, error) {
	raw, err := inflate(data.Head, nil)
	if err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	head, err := modelfile.DecodeHead(raw)
	if err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	m := &Model{sources: head.Sources, byScope: map[string][]*service{}, byID: map[string]*service{}}
	dictionary := []byte(head.Dictionary)
	for _, h := range head.Services {
		if h.Offset+h.Size > len(data.Services) {
			return nil, fmt.Errorf("open models: %s: %w", h.ID, modelfile.ErrFormat)
		}
		s := &service{Head: h}
		s.unpack = sync.OnceValues(func() (*api, error) { return unpack(h, dictionary) })
		m.services = append(m.services, s)
		m.byID[h.ID] = s
		m.byScope[h.SigningName] = append(m.byScope[h.SigningName], s)
	}
	m.hosts, m.partitions = newHosts(head, m.services), head.Partitions
	return m, nil
}

// Sources says from which versions of which data the models were made, with hashes.
func (m *Model) Sources() []string { return m.sources }

// maxBlock bounds an unpacked block; the largest, EC2's, is 0.6 MB.
const maxBlock = 16 << 20

func inflate(b, dictionary []byte) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(bytes.NewReader(b), dictionary), maxBlock+1))
	if err == nil && len(out) > maxBlock {
		err = modelfile.ErrFormat
	}
	return out, err
}

func unpack(h modelfile.Head, dictionary []byte) (*api, error) {
	raw, err := inflate(data.Services[h.Offset:h.Offset+h.Size], dictionary)
	if err != nil {
		return nil, fmt.Errorf("unpack the model of %s: %w", h.ID, err)
	}
	s, err := modelfile.DecodeService(raw, h)
	if err != nil {
		return nil, fmt.Errorf("unpack the model of %s: %w", h.ID, err)
	}
	return newAPI(s)
}

// Languages are the operations that carry a language, by "service:Operation". It unpacks all services.
func (m *Model) Languages() (map[string]string, error) {
	out := map[string]string{}
	for _, s := range m.services {
		a, err := s.unpack()
		if err != nil {
			return nil, err
		}
		for _, op := range a.Operations {
			if op.Language != "" {
				out[s.ID+":"+op.Name] = op.Language
			}
		}
	}
	return out, nil
}
