package recordindex

import (
	"bytes"
	"slices"

	"github.com/writhq/writ/pkg/audit"
)

// Block is an object with records, as its entry in the log has it.
type Block struct {
	Key, Edge   string
	First, Last audit.RecordID // of its records, the least and the greatest
	// Damaged says that its records could not be read, so that it may hold any.
	Damaged bool

	start, records int // its records in the part
}

// Entry is what one entry of the log means to the index.
type Entry struct {
	// Hash tells the entry from every other.
	Hash [32]byte
	// Block was stored. It is ignored where Retired is set.
	Block Block
	// Records have these Terms, in the order of the block.
	Records [][]Term
	// Labels are noted for the whole index.
	Labels []string
	// Retired is the key of a block that was taken away.
	Retired string
}

// part is what there is of a run of entries, but for the posting lists.
type part struct {
	from, to    int64 // entries, to exclusive
	last        [32]byte
	records     int
	blocks      []Block
	retired     []Term
	labels      []string
	first, next audit.RecordID // the least of the blocks' first, the greatest of their last
}

// note adds an entry's block.
func (p *part) note(b Block) {
	if len(p.blocks) == 0 || bytes.Compare(b.First[:], p.first[:]) < 0 {
		p.first = b.First
	}
	if bytes.Compare(b.Last[:], p.next[:]) > 0 {
		p.next = b.Last
	}
	p.blocks = append(p.blocks, b)
}

// builder is the part that grows.
type builder struct {
	part
	lists map[Term][]uint32
	saved int64 // to, when it was last written
}

func newBuilder(from int64) *builder {
	return &builder{part: part{from: from, to: from}, lists: map[Term][]uint32{}, saved: from}
}

// dimension of the names of what was taken away, which no record has.
const dimensionRetired = 0xff

func (b *builder) add(e Entry) {
	b.to++
	b.last = e.Hash
	if e.Retired != "" {
		b.retired = append(b.retired, Name(dimensionRetired, e.Retired))
		return
	}
	block := e.Block
	block.start, block.records = b.records, len(e.Records)
	b.note(block)
	for _, terms := range e.Records {
		b.addRecord(uint32(b.records), terms)
		b.records++
	}
	for _, label := range e.Labels {
		if !slices.Contains(b.labels, label) {
			b.labels = append(b.labels, label)
		}
	}
}

func (b *builder) addRecord(n uint32, terms []Term) {
	for _, t := range terms {
		list := b.lists[t]
		if len(list) == 0 || list[len(list)-1] != n {
			b.lists[t] = append(list, n)
		}
	}
}

func (b *builder) look(r Range, to set) error {
	add := func(list []uint32) {
		for _, n := range list {
			to.add(n)
		}
	}
	if r.First == r.Last {
		add(b.lists[r.First])
		return nil
	}
	for t, list := range b.lists {
		if r.First <= t && t <= r.Last {
			add(list)
		}
	}
	return nil
}

// limits are how much a part grows to before another is begun.
type limits struct{ records, terms, blocks int }

var usual = limits{records: 1 << 16, terms: 1 << 20, blocks: 1 << 14}

func (l limits) reached(b *builder) bool {
	return b.records >= l.records || len(b.lists) >= l.terms || len(b.blocks) >= l.blocks
}
