package store

import "context"

// Compact forgets every revision before the present one.
func (s *Store) Compact(ctx context.Context) error {
	resp, err := s.client.Get(ctx, "x")
	if err != nil {
		return err
	}
	_, err = s.client.Compact(ctx, resp.Header.Revision)
	return err
}

// Seize removes the leader's key, as if its lease had ended.
func (s *Store) Seize(ctx context.Context, name string) error {
	_, err := s.client.Delete(ctx, s.prefix+"leader/"+name)
	return err
}

// Move copies the raw value of one key to another, as whoever can write to
// etcd can.
func (s *Store) Move(ctx context.Context, from, to string) error {
	resp, err := s.client.Get(ctx, s.prefix+from)
	if err != nil {
		return err
	}
	_, err = s.client.Put(ctx, s.prefix+to, string(resp.Kvs[0].Value))
	return err
}
