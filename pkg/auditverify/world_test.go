package auditverify_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditverify"
	"github.com/writhq/writ/pkg/merklelog"
)

const origin = "audit.example.com/log"

// world is a store with a log.
type world struct {
	files       fstest.MapFS
	verifier    note.Verifier
	checkpoints map[int64][]byte // all that were ever stored
	records     int64
	sessions    int
}

// builder writes a world as edges and a control plane do.
type builder struct {
	t      testing.TB
	w      *world
	rand   *rand.Rand
	ids    *audit.IDSource
	now    time.Time
	signer note.Signer
	tree   merklelog.Tree
	tiles  merklelog.Tiles
	chains map[string]*audit.Chain
	blocks int
}

var edges = []string{"edge-a", "edge-b", ""}

// newWorld stores that many blocks, with a checkpoint after every few of them.
func newWorld(t testing.TB, seed uint64, blocks int) *world {
	t.Helper()
	b := newBuilder(t, seed)
	for i := range blocks {
		b.block()
		if b.rand.IntN(7) == 0 || i == blocks-1 {
			b.checkpoint()
		}
	}
	b.w.sessions = len(b.chains)
	return b.w
}

func newBuilder(t testing.TB, seed uint64) *builder {
	t.Helper()
	signer, public, err := merklelog.NewSigner(origin, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := audit.NewIDSource(strings.NewReader("node-0"))
	if err != nil {
		t.Fatal(err)
	}
	return &builder{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), ids: ids, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), signer: signer, chains: map[string]*audit.Chain{},
		w: &world{files: fstest.MapFS{}, verifier: verifier, checkpoints: map[int64][]byte{}},
	}
}

// block stores some records of some sessions of one edge.
func (b *builder) block() {
	edge := edges[b.rand.IntN(len(edges))]
	b.now = b.now.Add(time.Duration(b.rand.IntN(120)) * time.Second)
	var raw [][]byte
	var first, last audit.RecordID
	for range 1 + b.rand.IntN(12) {
		r := audit.Record{ID: b.ids.Next(b.now), Time: b.now, Kind: audit.KindCommand, Principal: "ada", Statement: fmt.Sprintf("select %d", b.rand.Uint64())}
		if len(raw) == 0 {
			first = r.ID
		}
		last = r.ID
		encoded, err := b.chain(edge).Append(nil, &r)
		if err != nil {
			b.t.Fatal(err)
		}
		raw = append(raw, encoded)
	}
	b.store(edge, raw, first, last)
}

// store stores binary records as one block.
func (b *builder) store(edge string, raw [][]byte, first, last audit.RecordID) (key string) {
	b.w.records += int64(len(raw))
	enc, err := audit.NewBlockEncoder(edge)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := enc.Encode(nil, raw)
	if err != nil {
		b.t.Fatal(err)
	}
	b.blocks++
	key = path.Join("records/v1", b.now.Format("2006-01-02"), edge, b.now.Format("15"), fmt.Sprintf("%013d_%013d_boot_%d_00.blk", b.now.UnixMilli(), b.now.UnixMilli(), b.blocks))
	if edge == "" {
		key = path.Join("admin/v1", b.now.Format("2006-01-02"), b.now.Format("15"), fmt.Sprintf("%013d_cp-a_%d.blk", b.now.UnixMilli(), b.blocks))
	}
	b.put(key, data)
	b.log(merklelog.Entry{Kind: merklelog.Block, Key: key, SHA256: sha256.Sum256(data), Bytes: int64(len(data)), Records: len(raw), First: first, Last: last})
	return key
}

// chain is that of one of an edge's sessions.
func (b *builder) chain(edge string) *audit.Chain {
	session := fmt.Sprintf("ses-%s-%d", edge, b.rand.IntN(8))
	if b.chains[session] == nil {
		c, err := audit.NewChain(edge, session)
		if err != nil {
			b.t.Fatal(err)
		}
		b.chains[session] = c
	}
	return b.chains[session]
}

func (b *builder) put(key string, data []byte) { b.w.files[key] = &fstest.MapFile{Data: data} }

func (b *builder) log(e merklelog.Entry) {
	encoded, err := e.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	b.tree.Append(merklelog.LeafHash(encoded))
	full, err := b.tiles.Append(encoded, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, o := range full {
		b.put("log/v1/"+o.Path, o.Data)
	}
}

func (b *builder) checkpoint() {
	for _, o := range b.tiles.Partial() {
		b.put("log/v1/"+o.Path, o.Data)
	}
	signed, err := merklelog.Checkpoint{Origin: origin, Size: b.tree.Size(), Root: b.tree.Root()}.Sign(b.signer)
	if err != nil {
		b.t.Fatal(err)
	}
	b.put(fmt.Sprintf("log/v1/checkpoint/%016d", b.tree.Size()), signed)
	b.w.checkpoints[b.tree.Size()] = signed
}

// copy is a world of its own.
func (w *world) copy() *world {
	c := *w
	c.files = maps.Clone(w.files)
	return &c
}

func (w *world) verify(t testing.TB, kept ...[]byte) auditverify.Report {
	t.Helper()
	report, err := auditverify.Verify(t.Context(), auditverify.Config{Store: w.files, Key: w.verifier, Kept: kept})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// newest is the last checkpoint.
func (w *world) newest() []byte {
	size := int64(0)
	for s := range w.checkpoints {
		size = max(size, s)
	}
	return w.checkpoints[size]
}
