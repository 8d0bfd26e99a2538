package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// watchTime is how long events come, watchRate how many a second are asked of the writers.
const (
	watchTime = 5 * time.Second
	watchRate = 1000
)

// watches compares how late events come through the edge and through kubectl proxy, side by side.
func (k *kube) watches(ctx context.Context) ([]Figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchers := make([]*watcher, len(k.paths))
	var wg sync.WaitGroup
	for i, p := range k.paths {
		p.client = clientOf(p.ca) // a connection of its own, as an informer has
		watchers[i] = &watcher{kubePath: p}
		if err := watchers[i].open(ctx); err != nil {
			return nil, err
		}
	}
	for _, w := range watchers {
		wg.Go(func() { w.err = w.follow(ctx) })
	}
	sent, err := k.events(ctx)
	if err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Second) // for the last to come
	cancel()
	wg.Wait()
	for _, w := range watchers {
		if w.err != nil {
			return nil, w.err
		}
		if len(w.late) != sent {
			return nil, fmt.Errorf("%s: got %d events of %d", w.name, len(w.late), sent)
		}
		slices.Sort(w.late)
		if w.again > 0 {
			fmt.Fprintf(os.Stderr, "note: the API server ended the watch %d times: %s\n", w.again, w.name)
		}
	}
	ms := func(i int, q float64) float64 {
		return watchers[i].late[int(q*float64(sent-1))].Seconds() * 1000
	}
	rate := fmt.Sprintf("watch of %d events/s", int(float64(sent)/watchTime.Seconds()))
	return []Figure{
		atMost(rate+", p50", "ms", ms(2, 0.5), ms(1, 0.5), "kubectl proxy", 1), atMost(rate+", p99", "ms", ms(2, 0.99), ms(1, 0.99), "kubectl proxy", 1),
		atMost(rate+", p50", "ms", ms(2, 0.5), ms(0, 0.5), "direct", 1.1),
	}, nil
}

// watcher follows objects as informers do: where the API server ends a watch, for whatever reason, it begins again where it was.
type watcher struct {
	kubePath
	resp    *http.Response
	version string
	late    []time.Duration
	again   int
	err     error
}

func (w *watcher) open(ctx context.Context) (err error) {
	w.resp, err = w.do(ctx, "GET", "/api/v1/namespaces/bench/configmaps?watch=true&labelSelector=bench&resourceVersion="+w.version, "", "", "application/json")
	return err
}

// follow notes how long ago each event was sent, by the time that it carries, until ctx ends.
func (w *watcher) follow(ctx context.Context) error {
	for {
		err := w.read()
		w.resp.Body.Close()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		w.again++
		if err := w.open(ctx); err != nil {
			return err
		}
	}
}

func (w *watcher) read() error {
	events := json.NewDecoder(bufio.NewReaderSize(w.resp.Body, 64<<10))
	for {
		var e struct {
			Type   string
			Object struct {
				Metadata struct{ ResourceVersion string }
				Data     struct {
					At int64 `json:"at,string"`
				}
				Message string
			}
		}
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if e.Type == "ERROR" {
			return errors.New(e.Object.Message)
		}
		w.late = append(w.late, time.Since(time.Unix(0, e.Object.Data.At)))
		w.version = e.Object.Metadata.ResourceVersion
	}
}

// events makes objects at a steady rate, each with the time at which it was sent.
func (k *kube) events(ctx context.Context) (int, error) {
	tick := time.NewTicker(time.Second / watchRate)
	defer tick.Stop()
	end := time.Now().Add(watchTime)
	room := make(chan struct{}, 64)
	errs := make(chan error, cap(room))
	var wg sync.WaitGroup
	sent := 0
	for time.Now().Before(end) {
		<-tick.C
		room <- struct{}{}
		sent++
		n := sent
		wg.Go(func() {
			defer func() { <-room }()
			body := fmt.Sprintf(`{"metadata":{"name":"e-%d","labels":{"bench":""}},"data":{"at":"%d"}}`, n, time.Now().UnixNano())
			resp, err := k.paths[0].do(ctx, "POST", "/api/v1/namespaces/bench/configmaps", "application/json", body, "application/json")
			if err != nil {
				select {
				case errs <- err:
				default:
				}
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	wg.Wait()
	close(errs)
	return sent, <-errs
}
