package place

import (
	"cmp"
	"context"
	"io"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

const (
	// answerTakes is how long a folder may take to answer, with a disk that wakes up.
	answerTakes = time.Minute
	// settleTakes is how long it may go on after the last byte of a backup: a slow disk
	// writes then what the system has taken in.
	settleTakes = 15 * time.Minute
	// noticeTakes is how long a call that does not hang may take to notice that its
	// context is over.
	noticeTakes = time.Second
)

// Patience gives up on folders that hang. What is mounted over the network, from a
// machine that is off, holds a call for ever, and no context ends that: the call is left
// behind then, and as long as it has not come back nobody asks that folder again. The
// zero value is ready; it is safe for concurrent use.
type Patience struct {
	answer, settle time.Duration // of tests; 0: as usual

	mu    sync.Mutex
	stuck map[string]int // calls that were left behind, by folder
}

// With has a folder given up on when it hangs.
func (p *Patience) With(f *Folder) backup.Place { return &patient{f, p} }

// Look calls what looks at a folder, and may hang there.
func Look[T any](ctx context.Context, p *Patience, dir string, look func() (T, error)) (T, error) {
	return within(ctx, p, dir, cmp.Or(p.answer, answerTakes), nil, look, nil)
}

// within calls do and returns what it returns, unless that takes too long: then the
// folder is away. alive tells of signs of life, from which the time counts anew. What do
// returns when nobody waits for it any more is given to drop.
func within[T any](ctx context.Context, p *Patience, dir string, limit time.Duration, alive <-chan struct{}, do func() (T, error), drop func(T)) (got T, err error) {
	p.mu.Lock()
	hangs := p.stuck[dir] > 0
	p.mu.Unlock()
	if hangs {
		return got, away(nil, "the folder %s does not answer", dir)
	}
	type result struct {
		got T
		err error
	}
	came := make(chan result)
	left := make(chan struct{})
	go func() {
		got, err := do()
		select {
		case came <- result{got, err}:
		case <-left:
			p.leave(dir, -1)
			if err == nil && drop != nil {
				drop(got)
			}
		}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case r := <-came:
			return r.got, r.err
		case <-alive:
			timer.Reset(limit)
			continue
		case <-ctx.Done():
			select {
			case r := <-came: // it has noticed
				return r.got, r.err
			case <-time.After(noticeTakes):
			}
			err = context.Cause(ctx)
		case <-timer.C:
			err = away(nil, "the folder %s does not answer", dir)
		}
		p.leave(dir, 1)
		close(left)
		return got, err
	}
}

func (p *Patience) leave(dir string, calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck == nil {
		p.stuck = map[string]int{}
	}
	if p.stuck[dir] += calls; p.stuck[dir] == 0 {
		delete(p.stuck, dir)
	}
}

// patient is a folder with which nobody waits for ever.
type patient struct {
	folder *Folder
	p      *Patience
}

func ask[T any](ctx context.Context, f *patient, do func() (T, error), drop func(T)) (T, error) {
	return within(ctx, f.p, f.folder.dir, cmp.Or(f.p.answer, answerTakes), nil, do, drop)
}

// Put implements [backup.Place].
func (f *patient) Put(ctx context.Context, name string, content io.Reader) error {
	source := &pulse{from: content, beat: make(chan struct{}, 1)}
	_, err := within(ctx, f.p, f.folder.dir, cmp.Or(f.p.settle, settleTakes), source.beat,
		func() (struct{}, error) { return struct{}{}, f.folder.Put(ctx, name, source) }, nil)
	return err
}

// pulse tells that somebody reads.
type pulse struct {
	from io.Reader
	beat chan struct{}
}

func (s *pulse) Read(b []byte) (int, error) {
	select {
	case s.beat <- struct{}{}:
	default:
	}
	return s.from.Read(b)
}

// List implements [backup.Place].
func (f *patient) List(ctx context.Context) ([]backup.Stored, error) {
	return ask(ctx, f, func() ([]backup.Stored, error) { return f.folder.List(ctx) }, nil)
}

// Open implements [backup.Place].
func (f *patient) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := ask(ctx, f, func() (io.ReadCloser, error) { return f.folder.Open(ctx, name) }, func(late io.ReadCloser) { _ = late.Close() })
	if err != nil {
		return nil, err
	}
	return &patientFile{ctx, f, file}, nil
}

// patientFile is a file in such a folder.
type patientFile struct {
	ctx  context.Context //nolint:containedctx // of Open, as the file is read within it
	f    *patient
	file io.ReadCloser
}

// Read implements io.Reader. A read that is left behind has a buffer of its own.
func (r *patientFile) Read(b []byte) (int, error) {
	own := make([]byte, len(b))
	n, err := ask(r.ctx, r.f, func() (int, error) { return r.file.Read(own) }, nil)
	return copy(b, own[:n]), err
}

// Close implements io.Closer.
func (r *patientFile) Close() error {
	_, err := ask(context.WithoutCancel(r.ctx), r.f, func() (struct{}, error) { return struct{}{}, r.file.Close() }, nil)
	return err
}

// Remove implements [backup.Place].
func (f *patient) Remove(ctx context.Context, name string) error {
	_, err := ask(ctx, f, func() (struct{}, error) { return struct{}{}, f.folder.Remove(ctx, name) }, nil)
	return err
}

// Free implements [backup.Place].
func (f *patient) Free(ctx context.Context) (bytes int64, known bool, err error) {
	type room struct {
		bytes int64
		known bool
	}
	r, err := ask(ctx, f, func() (room, error) {
		bytes, known, err := f.folder.Free(ctx)
		return room{bytes, known}, err
	}, nil)
	return r.bytes, r.known, err
}
