package bitcoind

import (
	"bytes"
	"strings"
	"sync"
)

// maxLine bounds a line of the log in bytes; the rest of a longer one becomes
// a line of its own.
const maxLine = 2000

// ring keeps the newest lines of what is written to it. It is the node's
// standard output, so Write never blocks and never fails. Safe for concurrent
// use.
type ring struct {
	emit func(line string) // sees every line once, outside the lock

	mu      sync.Mutex
	lines   []string // lines[i%len] is line i
	total   int      // lines written so far
	partial []byte   // what came after the last newline
}

func newRing(size int, emit func(line string)) *ring {
	return &ring{emit: emit, lines: make([]string, size)}
}

// Write takes the node's output in pieces of any size.
func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.partial = append(r.partial, p...)
	var whole []string
	for {
		end := bytes.IndexByte(r.partial, '\n')
		skip := end + 1
		if end < 0 || end > maxLine {
			if len(r.partial) <= maxLine {
				break
			}
			end, skip = maxLine, maxLine
		}
		whole = append(whole, r.add(r.partial[:end]))
		r.partial = r.partial[skip:]
	}
	r.mu.Unlock()

	for _, line := range whole {
		r.emit(line)
	}
	return len(p), nil
}

// flush makes a line of what has no newline yet, for a process that has ended.
func (r *ring) flush() {
	r.mu.Lock()
	partial := r.partial
	r.partial = nil
	if len(partial) > 0 {
		r.add(partial)
	}
	r.mu.Unlock()

	if len(partial) > 0 {
		r.emit(string(partial))
	}
}

func (r *ring) add(raw []byte) string {
	line := strings.ToValidUTF8(strings.TrimRight(string(raw), "\r"), "\uFFFD")
	r.lines[r.total%len(r.lines)] = line
	r.total++

	return line
}

// mark returns the number of the next line, for since.
func (r *ring) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.total
}

// since returns the lines from number mark on that are still held, oldest
// first.
func (r *ring) since(mark int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()

	first := max(mark, r.total-len(r.lines))
	lines := make([]string, 0, r.total-first)
	for i := first; i < r.total; i++ {
		lines = append(lines, r.lines[i%len(r.lines)])
	}

	return lines
}
