package cli

// maxPageSize is the most that most lists of the service return at once.
const maxPageSize = 500

// pageOf asks for the page that a token names, of at most size items, and returns the token of the next one.
type pageOf[T any] func(size int32, token string) (items []T, next string, err error)

// readPages reads pages of at most most items until there are limit items or no more. next is the token of the page
// after them, empty where there is none. A page may be empty and yet have a next one.
func readPages[T any](limit, most int, read pageOf[T]) (all []T, next string, err error) {
	if limit < 1 {
		return nil, "", misused("leave it out for the usual one", "the limit must be at least 1")
	}
	for {
		var page []T
		if page, next, err = read(int32(min(limit-len(all), most)), next); err != nil {
			return nil, "", err
		}
		if all = append(all, page...); next == "" || len(all) >= limit {
			return all, next, nil
		}
	}
}

// noteMore says that a list was cut at n items, where it was.
func (a *app) noteMore(n int, next string) {
	if next != "" {
		a.note("these are the newest %d; more with --limit", n)
	}
}
