package auditlog

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	recordsFolder = "records/v1"
	adminFolder   = "admin/v1"
	suffix        = ".blk"
	dayLayout     = "2006-01-02"
)

func tempName() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

var bootForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// CheckBoot accepts the name of one process start of an edge.
func CheckBoot(boot string) error {
	if !bootForm.MatchString(boot) {
		return fmt.Errorf("boot %.80q: want 1 to 64 letters, digits and dashes", boot)
	}
	return nil
}

// blockKey is what the key of a block says about it, so that a listing is the
// index: who shipped it, the time span of its records, and a filter over their
// sessions. It depends on nothing but the block and its place in the boot, so
// that a block that is sent again finds itself.
//
//	records/v1/<day>/<edge>/<hour>/<first ms>_<last ms>_<boot>_<sequence>_<filter>.blk
type blockKey struct {
	edge, boot  string
	sequence    uint64
	first, last time.Time
	sessions    filter
}

func (k blockKey) String() string {
	first := k.first.UTC()
	name := fmt.Sprintf("%013d_%013d_%s_%d_%s%s", first.UnixMilli(), k.last.UnixMilli(), k.boot, k.sequence,
		hex.EncodeToString(k.sessions[:]), suffix)
	return path.Join(hourFolder(k.edge, first), name)
}

func hourFolder(edge string, at time.Time) string {
	at = at.UTC()
	return path.Join(recordsFolder, at.Format(dayLayout), edge, at.Format("15"))
}

// parseBlockName reads the last part of a key.
func parseBlockName(name string) (blockKey, bool) {
	body, ok := strings.CutSuffix(name, suffix)
	parts := strings.Split(body, "_")
	if !ok || len(parts) != 5 || CheckBoot(parts[2]) != nil {
		return blockKey{}, false
	}
	first, err1 := strconv.ParseInt(parts[0], 10, 64)
	last, err2 := strconv.ParseInt(parts[1], 10, 64)
	seq, err3 := strconv.ParseUint(parts[3], 10, 64)
	k := blockKey{boot: parts[2], sequence: seq, first: time.UnixMilli(first), last: time.UnixMilli(last)}
	if err1 != nil || err2 != nil || err3 != nil || len(parts[4]) != hex.EncodedLen(len(k.sessions)) {
		return blockKey{}, false
	}
	_, err := hex.Decode(k.sessions[:], []byte(parts[4]))
	return k, err == nil
}

// filter is a Bloom filter of 256 bits and four hashes: with 20 sessions in a
// block one foreign block in 200 is read for nothing, with 50 one in 12.
type filter [32]byte

func (f *filter) add(session string) {
	for _, bit := range filterBits(session) {
		f[bit/8] |= 1 << (bit % 8)
	}
}

func (f *filter) mayHold(session string) bool {
	for _, bit := range filterBits(session) {
		if f[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
	}
	return true
}

func filterBits(session string) [4]uint16 {
	sum := sha256.Sum256([]byte(session))
	var bits [4]uint16
	for i := range bits {
		bits[i] = binary.LittleEndian.Uint16(sum[2*i:]) % (8 * uint16(len(filter{})))
	}
	return bits
}
