package aws

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/writhq/writ/pkg/awsmask"
)

// part is a part of an object that a client asks for. AWS is asked for more, so that a value that lies across its ends is
// masked as it is in the whole object. The zero value is the whole object.
type part struct {
	first, last int64 // offsets; last -1 is to the end
	suffix      int64 // or so many bytes at the end
	asked       bool
}

// rangeForm is the one form of ranges that S3 serves; others it answers with the whole object.
var rangeForm = regexp.MustCompile(`^bytes=(\d{1,18})-(\d{0,18})$|^bytes=-(\d{1,18})$`)

// partOf reads the header Range.
func partOf(h http.Header) part {
	m := rangeForm.FindStringSubmatch(strings.TrimSpace(h.Get("Range")))
	if m == nil {
		return part{}
	}
	p := part{asked: true, last: -1}
	if m[3] != "" {
		if p.suffix, _ = strconv.ParseInt(m[3], 10, 64); p.suffix == 0 {
			return part{} // S3 refuses it
		}
		return p
	}
	p.first, _ = strconv.ParseInt(m[1], 10, 64)
	if m[2] != "" {
		p.last, _ = strconv.ParseInt(m[2], 10, 64)
	}
	if p.last >= 0 && p.last < p.first {
		return part{} // S3 takes it for none
	}
	return p
}

// widen asks for whole blocks and a margin on both sides.
func (p part) widen(h http.Header) {
	const block, margin = awsmask.BlockSize, awsmask.Margin
	switch {
	case !p.asked:
	case p.suffix > 0:
		h.Set("Range", fmt.Sprintf("bytes=-%d", p.suffix+margin+block))
	case p.last < 0:
		h.Set("Range", fmt.Sprintf("bytes=%d-", max(p.first/block*block-margin, 0)))
	default:
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", max(p.first/block*block-margin, 0), (p.last/block+1)*block+margin-1))
	}
}

// contentRange reads what came.
var contentRange = regexp.MustCompile(`^bytes (\d{1,18})-(\d{1,18})/(\d{1,18})$`)

// window says what of the answer is the client's. ok is false for an answer that does not tell what it is.
func (p part) window(resp *http.Response) (w awsmask.Window, total int64, ok bool) {
	if resp.StatusCode != http.StatusPartialContent {
		return awsmask.Window{}, resp.ContentLength, true
	}
	m := contentRange.FindStringSubmatch(resp.Header.Get("Content-Range"))
	if m == nil || !p.asked {
		return w, 0, false
	}
	w.Start, _ = strconv.ParseInt(m[1], 10, 64)
	end, _ := strconv.ParseInt(m[2], 10, 64)
	total, _ = strconv.ParseInt(m[3], 10, 64)
	w.From, w.To = p.first, total
	if p.suffix > 0 {
		w.From = max(total-p.suffix, 0)
	}
	if p.last >= 0 && p.suffix == 0 {
		w.To = min(p.last+1, total)
	}
	return w, total, end < total && w.Start <= min(w.From, total) && end+1 >= w.To
}
