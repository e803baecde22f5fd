package appliance

import "golang.org/x/sys/unix"

// secret keeps a short text in pages of its own, which the kernel is asked neither
// to write to the swap space nor to a crash dump, and which are overwritten when
// the text is forgotten. What is handed out by [secret.text] is an ordinary string
// again, for the length of a request to the node: this makes the time short and
// the copies few, and cannot do more.
type secret struct {
	page   []byte
	size   int
	mapped bool
}

// newSecret keeps a text. Where the memory cannot be locked, because a limit is
// used up, it is kept all the same: an unlocked page is no reason not to pay.
func newSecret(text string) *secret {
	size := max(len(text), 1)
	page, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		page = make([]byte, size)
	}
	_ = unix.Mlock(page)
	_ = unix.Madvise(page, unix.MADV_DONTDUMP)
	return &secret{page: page, size: copy(page, text), mapped: err == nil}
}

// text returns a copy.
func (s *secret) text() string { return string(s.page[:s.size]) }

// erase overwrites the text and gives the pages back.
func (s *secret) erase() {
	clear(s.page)
	if s.mapped {
		_ = unix.Munmap(s.page)
	}
	*s = secret{}
}
