package sqlclass

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"weak"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Defaults of Config.
const (
	DefaultMaxBytes     = 1 << 20
	DefaultMaxTokens    = 50_000
	DefaultMaxDepth     = 200
	DefaultMaxSteps     = 1_000_000
	DefaultCacheSize    = 4096
	DefaultCacheMaxText = 16 << 10
)

// ErrConfig is returned by New for limits that make no sense.
var ErrConfig = errors.New("invalid classifier configuration")

// Config holds the limits of a Classifier. Zero fields take the defaults.
type Config struct {
	MaxBytes     int // longest text, bytes; default 1 MiB
	MaxTokens    int // most tokens in one text; default 50,000
	MaxDepth     int // deepest nesting of brackets, CASE and prefix operators; default 200
	MaxSteps     int // most nodes visited for one text, views and routine bodies included; default 1,000,000
	CacheSize    int // cached texts; default 4096
	CacheMaxText int // longest text that is cached, bytes; default 16 KiB
}

func (c *Config) fill() error {
	for _, f := range []struct {
		name string
		val  *int
		def  int
	}{
		{"MaxBytes", &c.MaxBytes, DefaultMaxBytes}, {"MaxTokens", &c.MaxTokens, DefaultMaxTokens},
		{"MaxDepth", &c.MaxDepth, DefaultMaxDepth}, {"MaxSteps", &c.MaxSteps, DefaultMaxSteps},
		{"CacheSize", &c.CacheSize, DefaultCacheSize}, {"CacheMaxText", &c.CacheMaxText, DefaultCacheMaxText},
	} {
		if *f.val < 0 {
			return fmt.Errorf("%w: %s is negative", ErrConfig, f.name)
		}
		if *f.val == 0 {
			*f.val = f.def
		}
	}
	return nil
}

// cacheShards splits the cache so that sessions seldom wait for one another.
const cacheShards = 8

// cacheKey is all that a batch depends on.
type cacheKey struct {
	catalog weak.Pointer[Catalog]
	temp    uint64
	path    string
	text    string
}

// cached is a batch with its key: the cache is indexed by a hash, so the key decides.
type cached struct {
	key   cacheKey
	batch *Batch
}

// Classifier classifies statements. It is safe for concurrent use.
type Classifier struct {
	cfg    Config
	seed   maphash.Seed
	shards [cacheShards]*lru.Cache[uint64, *cached]
}

// New returns a Classifier with cfg's limits.
func New(cfg Config) (*Classifier, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	c := &Classifier{cfg: cfg, seed: maphash.MakeSeed()}
	for i := range c.shards {
		shard, err := lru.New[uint64, *cached]((cfg.CacheSize + cacheShards - 1) / cacheShards)
		if err != nil {
			return nil, fmt.Errorf("classification cache: %w", err)
		}
		c.shards[i] = shard
	}
	return c, nil
}

// Classify says what text does under a catalog and a session. The error is always an *Unparsed. Batches
// are shared: callers must not change them. Texts that differ only in compared literals may share one, so
// that its Text and its statements' are those of one of them. A nil catalog knows no name, a nil session has no path.
func (c *Classifier) Classify(text string, cat *Catalog, s *Session) (*Batch, error) {
	if s == nil {
		s = &Session{}
	}
	key := cacheKey{path: s.Path.key, temp: s.TempKey, text: text}
	if cat == nil || len(text) > c.cfg.CacheMaxText || (len(s.Temp) == 0) != (s.TempKey == 0) {
		b, _, err := c.classify(text, cat, s)
		return b, err
	}
	key.catalog = cat.self
	if e := c.lookup(key, cat, s); e != nil {
		return e.batch, nil
	}
	var buf [256]byte
	short, hasTemplate := template(buf[:0], text)
	if hasTemplate {
		key.text = string(short)
		if e := c.lookup(key, cat, s); e != nil {
			return e.batch, nil
		}
	}
	b, shared, err := c.classify(strings.Clone(text), cat, s)
	if err != nil || !shared {
		return b, err
	}
	if !hasTemplate || !b.templated() {
		key.text = b.Text
	}
	h := c.hash(key, cat, s)
	c.shards[h%cacheShards].Add(h, &cached{key: key, batch: b})
	return b, nil
}

func (c *Classifier) hash(key cacheKey, cat *Catalog, s *Session) uint64 {
	return maphash.String(c.seed, key.text) ^ s.Path.sum ^ (cat.version<<32 + key.temp)
}

func (c *Classifier) lookup(key cacheKey, cat *Catalog, s *Session) *cached {
	h := c.hash(key, cat, s)
	if e, ok := c.shards[h%cacheShards].Get(h); ok && e.key == key {
		return e
	}
	return nil
}
