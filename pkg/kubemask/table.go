package kubemask

// cells notes all cells of a row but the first, which names the object.
func (s *scanner) cells(i int) int {
	if i = s.open(i); i < 0 {
		return stop
	}
	for n := 0; ; n++ {
		var more bool
		if i, more = s.separator(i, ']', n == 0); !more {
			s.depth--
			return i
		}
		at := i
		if i = s.skip(i); i < 0 {
			return stop
		}
		if n > 0 && s.b[at] != 'n' {
			s.hits = append(s.hits, hit{span: span{at, i}, obj: s.obj, what: hitCell})
		}
	}
}
