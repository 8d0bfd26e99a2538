package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	largeSize = "WRIT_AWS_LARGE_MB" // megabytes of the object; 128 without it
	largeKey  = "WRIT_TEST_LARGE_OBJECT"
)

// TestAWSLarge: an object goes up and comes back in one piece, and the edge's memory does not grow with it.
// `make aws-large SIZE=2048` moves one of 2 GB.
func TestAWSLarge(t *testing.T) {
	mb := 128
	if text := os.Getenv(largeSize); text != "" {
		var err error
		if mb, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := newBucketStore(t, "large")
	for name, flags := range awsWays {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
			defer cancel()
			key := strings.ReplaceAll(name, " ", "-")
			env := []string{largeKey + "=" + key, largeSize + "=" + strconv.Itoa(mb)}
			move := func(size int) (string, error) {
				env[1] = largeSize + "=" + strconv.Itoa(size)
				return b.exec(ctx, flags, env, self, "-test.run=^TestAWSLargeClient$", "-test.v")
			}
			if out, err := move(1); err != nil { // the first one pays for what is made once
				t.Fatalf("%v: %s", err, out)
			}
			watch := watchMemory(t, b.Edge.PID())
			out, err := move(mb)
			before, most := watch.stop()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			file := filepath.Join(b.store.Buckets(), "large", key)
			if sum := hashFile(t, file); !strings.Contains(out, "sha256 "+sum) {
				t.Errorf("S3 has an object of SHA-256 %s; the client says %s", sum, out)
			}
			if err := os.Remove(file); err != nil {
				t.Error(err)
			}
			t.Logf("%d MB up and down: the edge had %d MB before and %d MB at most. %s", mb, before>>10, most>>10, regexp.MustCompile(`(up|down) .*`).FindAllString(out, -1))
			if grown := most - before; grown > largeGrowth {
				t.Errorf("the edge's memory grew by %d KB for %d MB", grown, mb)
			}
		})
	}
}

// largeGrowth bounds what the edge may take more while an object passes, in KB: buffers, and the garbage of many calls.
const largeGrowth = 32 << 10

// TestAWSLargeClient is the client of TestAWSLarge, under writ aws exec.
func TestAWSLargeClient(t *testing.T) {
	key := os.Getenv(largeKey)
	if key == "" {
		t.Skip("a part of TestAWSLarge")
	}
	mb, err := strconv.Atoi(os.Getenv(largeSize))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, bucket, want := s3.NewFromConfig(cfg), "large", sha256.New()
	if _, err := io.Copy(want, &pattern{size: int64(mb) << 20}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: &pattern{size: int64(mb) << 20}}); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("up %.0f MB/s\n", float64(mb)/time.Since(began).Seconds())
	began = time.Now()
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	back := sha256.New()
	if _, err := io.Copy(back, got.Body); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("down %.0f MB/s\n", float64(mb)/time.Since(began).Seconds())
	if w, g := hex.EncodeToString(want.Sum(nil)), hex.EncodeToString(back.Sum(nil)); w != g {
		t.Fatalf("SHA-256 %s came back, want %s", g, w)
	}
	fmt.Println("sha256", hex.EncodeToString(want.Sum(nil)))
}

// pattern is content without end that differs from place to place.
type pattern struct{ at, size int64 }

// Read implements io.Reader.
func (p *pattern) Read(b []byte) (int, error) {
	if p.at >= p.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.size-p.at)]
	for i := range b {
		v := uint64(p.at + int64(i))
		b[i] = byte(v ^ v>>8 ^ v>>16 ^ v>>24)
	}
	p.at += int64(len(b))
	return len(b), nil
}

// Seek implements io.Seeker.
func (p *pattern) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		p.at = offset
	case io.SeekCurrent:
		p.at += offset
	case io.SeekEnd:
		p.at = p.size + offset
	default:
		return 0, errors.New("seek from nowhere")
	}
	return p.at, nil
}

func hashFile(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// memory is what a process has at most while it is watched.
type memory struct {
	before, most int // KB
	end          chan struct{}
	ended        chan struct{}
}

func watchMemory(t *testing.T, pid int) *memory {
	t.Helper()
	m := &memory{before: residentKB(pid), end: make(chan struct{}), ended: make(chan struct{})}
	if m.before == 0 {
		t.Skip("nothing tells of the memory of processes here")
	}
	go func() {
		defer close(m.ended)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-m.end:
				tick.Stop()
				return
			case <-tick.C:
				m.most = max(m.most, residentKB(pid))
			}
		}
	}()
	return m
}

func (m *memory) stop() (before, most int) {
	close(m.end)
	<-m.ended
	return m.before, m.most
}

func residentKB(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return kb
}
