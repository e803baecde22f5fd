package place

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/appliance/faultdisk"
)

const aBackup = "dmpool-main-20261123-000001.age"

// A folder that hangs is given up on, whatever is asked of it, and while a call is left
// behind nobody asks it again. Once that has come back, it is a folder like others.
func TestHangingFolder(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	dir, end := faultdisk.Hanging(t)
	asks := map[string]func(ctx context.Context, p backup.Place) error{
		"Put":    func(ctx context.Context, p backup.Place) error { return p.Put(ctx, aBackup, strings.NewReader("text")) },
		"List":   func(ctx context.Context, p backup.Place) error { _, err := p.List(ctx); return err },
		"Open":   func(ctx context.Context, p backup.Place) error { _, err := p.Open(ctx, aBackup); return err },
		"Remove": func(ctx context.Context, p backup.Place) error { return p.Remove(ctx, aBackup) },
		"Free":   func(ctx context.Context, p backup.Place) error { _, _, err := p.Free(ctx); return err },
	}
	patience := map[string]*Patience{}
	for name, ask := range asks {
		patience[name] = &Patience{answer: 100 * time.Millisecond, settle: 100 * time.Millisecond}
		p := patience[name].With(NewFolder(dir, ""))
		if err := ask(t.Context(), p); !errors.Is(err, backup.ErrAway) {
			t.Errorf("%s = %v, want %v", name, err, backup.ErrAway)
		}
		patience[name].answer, patience[name].settle = time.Hour, time.Hour
		for again, ask := range asks {
			if err := ask(t.Context(), p); !errors.Is(err, backup.ErrAway) {
				t.Errorf("%s after %s = %v, want %v", again, name, err, backup.ErrAway)
			}
		}
		if n := left(patience[name]); n != 1 {
			t.Errorf("%d calls were left behind, want 1", n)
		}
	}
	if _, err := Look(t.Context(), patience["List"], dir, func() (string, error) { return MountOf(dir) }); !errors.Is(err, backup.ErrAway) {
		t.Errorf("Look = %v, want %v", err, backup.ErrAway)
	}
	hurried, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errLate)
	defer cancel()
	if _, err := new(Patience).With(NewFolder(dir, "")).List(hurried); !errors.Is(err, errLate) {
		t.Errorf("List with a context that ends = %v, want its cause", err)
	}
	end()
	for _, p := range patience {
		for left(p) > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	other := filepath.Join(t.TempDir(), "other")
	if _, err := patience["List"].With(NewFolder(other, "")).List(t.Context()); !errors.Is(err, backup.ErrAway) || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("another folder: %v", err)
	}
}

// left is how many calls were left behind.
func left(p *Patience) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, calls := range p.stuck {
		n += calls
	}
	return n
}

// A file whose disk begins to hang while it is read is away, and its reader is not
// written to by what comes late.
func TestHangingRead(t *testing.T) {
	p := &Patience{answer: 50 * time.Millisecond}
	from, to := io.Pipe()
	r := &patientFile{t.Context(), &patient{NewFolder("/mnt/nas", ""), p}, from}
	buffer := []byte("untouched")
	if n, err := r.Read(buffer); n != 0 || !errors.Is(err, backup.ErrAway) {
		t.Errorf("Read = %d, %v", n, err)
	}
	if err := r.Close(); !errors.Is(err, backup.ErrAway) {
		t.Errorf("Close = %v", err)
	}
	if _, err := to.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if string(buffer) != "untouched" {
		t.Errorf("the buffer holds %q", buffer)
	}
}

// Who reads slowly is waited for, as long as there is a sign of life.
func TestSlowPut(t *testing.T) {
	p := (&Patience{settle: time.Second}).With(NewFolder(t.TempDir(), ""))
	from, to := io.Pipe()
	go func() {
		for range 15 {
			time.Sleep(100 * time.Millisecond)
			_, _ = to.Write([]byte("x"))
		}
		to.Close()
	}()
	if err := p.Put(t.Context(), aBackup, from); err != nil {
		t.Fatal(err)
	}
	if list, err := p.List(t.Context()); err != nil || len(list) != 1 || list[0].Size != 15 {
		t.Errorf("List = %v, %v", list, err)
	}
}
