// Package logbook keeps the newest records of the program's own log in memory, for
// the page that shows them. The log itself goes where it went before.
//
// The log never says a secret; should somebody forget that, a value under a name
// that sounds like one is left out here.
package logbook

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is one line of the log.
type Record struct {
	Seq     uint64 // counts from 1 since the program started
	At      time.Time
	Level   slog.Level
	Part    string // of the program: the package that said it
	Message string
	Attrs   []Attr
}

// Attr is a value with its name; those of groups are joined by dots.
type Attr struct{ Key, Value string }

// Book is a ring of records. It is safe for concurrent use.
type Book struct {
	mu      sync.Mutex
	ring    []Record // the newest at seq % len
	seq     uint64
	changed chan struct{} // closed by the next record
}

// New makes a book for so many records.
func New(size int) *Book {
	return &Book{ring: make([]Record, size), changed: make(chan struct{})}
}

// Changed returns a channel that the next record closes.
func (b *Book) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// Filter says which records are wanted. The zero value wants all.
type Filter struct {
	Level slog.Level // at least
	Part  string
	Text  string // contained in message or values, in whatever case
}

// Read returns up to limit of the wanted records, the newest last.
func (b *Book) Read(f Filter, limit int) []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []Record
	text := strings.ToLower(f.Text)
	for i := range uint64(min(b.seq, uint64(len(b.ring)))) {
		if len(found) == limit {
			break
		}
		r := b.ring[(b.seq-i)%uint64(len(b.ring))]
		if r.Level >= f.Level && (f.Part == "" || r.Part == f.Part) && r.contains(text) {
			found = append(found, r)
		}
	}
	slices.Reverse(found)
	return found
}

// Parts are the parts of the program that have said something, in order.
func (b *Book) Parts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var parts []string
	for _, r := range b.ring {
		if r.Seq > 0 && !slices.Contains(parts, r.Part) {
			parts = append(parts, r.Part)
		}
	}
	slices.Sort(parts)
	return parts
}

func (r Record) contains(text string) bool {
	if text == "" || strings.Contains(strings.ToLower(r.Message), text) {
		return true
	}
	return slices.ContainsFunc(r.Attrs, func(a Attr) bool { return strings.Contains(strings.ToLower(a.Key+"="+a.Value), text) })
}

func (b *Book) write(r Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	r.Seq = b.seq
	b.ring[b.seq%uint64(len(b.ring))] = r
	close(b.changed)
	b.changed = make(chan struct{})
}

// Handler returns a handler that writes into b from Info on, or from where next
// begins, and hands what next wants on to it.
func (b *Book) Handler(next slog.Handler) slog.Handler { return handler{book: b, next: next} }

type handler struct {
	book  *Book
	next  slog.Handler
	attrs []Attr
	group string // with its dot
}

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.next.Enabled(ctx, l)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	record := Record{At: r.Time, Level: r.Level, Part: part(r.PC), Message: r.Message, Attrs: slices.Clip(h.attrs)}
	r.Attrs(func(a slog.Attr) bool {
		record.Attrs = flatten(record.Attrs, h.group, a)
		return true
	})
	h.book.write(record)
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		h.attrs = flatten(h.attrs, h.group, a)
	}
	h.next = h.next.WithAttrs(attrs)
	return h
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	h.group += name + "."
	h.next = h.next.WithGroup(name)
	return h
}

// flatten appends a and what is in it.
func flatten(list []Attr, group string, a slog.Attr) []Attr {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			list = flatten(list, group, inner)
		}
		return list
	}
	if a.Equal(slog.Attr{}) {
		return list
	}
	key, text := group+a.Key, fmt.Sprint(v.Any())
	if secret(key) {
		text = LeftOut
	}
	return append(list, Attr{key, text})
}

// LeftOut stands in place of a value that may be a secret.
const LeftOut = "[left out]"

func secret(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc([]string{"password", "passphrase", "secret", "token", "cookie", "authorization", "words", "mnemonic", "seed", "xprv"},
		func(name string) bool { return strings.Contains(key, name) })
}

// part is the package of the code that logs, without the way to it.
func part(pc uintptr) string {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	name, _, _ := strings.Cut(path.Base(frame.Function), ".")
	return cmp.Or(name, "other")
}
