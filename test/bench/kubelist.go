package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const podJSON = `{"metadata":{"name":"p-%d","labels":{"app":"bench","n":"%d"}},"spec":{"schedulerName":"none","automountServiceAccountToken":false,"containers":[{"name":"main","image":"registry.example.com/shop/main:1.2.3","env":[{"name":"A","value":"some value"},{"name":"B","value":"another value"}],"resources":{"requests":{"cpu":"100m","memory":"128Mi"}}}]}}`

// fill makes pods that no node runs.
func (k *kube) fill(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "making", k.pods, "pods")
	numbers := make(chan int)
	errs := make(chan error, 16)
	var wg sync.WaitGroup
	for range cap(errs) {
		wg.Go(func() {
			for n := range numbers {
				resp, err := k.paths[0].do(ctx, "POST", "/api/v1/namespaces/bench/pods", "application/json", fmt.Sprintf(podJSON, n, n), "application/json")
				if err != nil {
					errs <- err
					for range numbers {
					}
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	for n := range k.pods {
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	close(errs)
	return <-errs
}

// lists reads all pods at once.
func (k *kube) lists(ctx context.Context) ([]Figure, error) {
	var figures []Figure
	for _, form := range []struct{ name, accept, encoding string }{
		{"JSON", "application/json", ""}, {"protobuf", "application/vnd.kubernetes.protobuf", ""}, // compressed where the server does, as client-go has it
		{"JSON uncompressed", "application/json", "identity"}, {"protobuf uncompressed", "application/vnd.kubernetes.protobuf", "identity"},
	} {
		times := make([][]time.Duration, len(k.paths))
		for range max(k.rounds, 3) {
			for i, p := range k.paths {
				d, err := p.list(ctx, form.accept, form.encoding)
				if err != nil {
					return nil, err
				}
				times[i] = append(times[i], d)
			}
		}
		direct, proxy, edge := shortest(times[0]).Seconds(), shortest(times[1]).Seconds(), shortest(times[2]).Seconds()
		name := fmt.Sprintf("list of %d pods, %s", k.pods, form.name)
		figures = append(figures, atMost(name, "s", edge, direct, "direct", 1.1), atMost(name, "s", edge, proxy, "kubectl proxy", 1))
	}
	return figures, nil
}

func (p kubePath) list(ctx context.Context, accept, encoding string) (time.Duration, error) {
	began := time.Now()
	resp, err := p.do(ctx, "GET", "/api/v1/namespaces/bench/pods", "", "", accept, "Accept-Encoding", encoding)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n < 1<<16 {
		err = fmt.Errorf("%s: a list of %d bytes", p.name, n)
	}
	return time.Since(began), err
}
