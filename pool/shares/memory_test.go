package shares

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	now := time.UnixMilli(1_800_000_000_000)
	opts := quiet()
	opts.Now = func() time.Time { return now }
	l, stop := start(t, path, opts)
	check := func(when string, want Memory) {
		t.Helper()
		got, err := l.LoadMemory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	save := func(m Memory) {
		t.Helper()
		if err := l.SaveMemory(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	none := map[uint32]time.Time{}
	check("new", Memory{Closed: none})

	old := Rig{"addr", "old", "s9", 8192, now.Add(-keepRigs - time.Hour)}
	first := Rig{"addr", "w", "bitaxe", 512, now}
	save(Memory{Rigs: []Rig{old, first}})
	first.Difficulty = 1024
	save(Memory{Rigs: []Rig{first}, Clean: true, Closed: map[uint32]time.Time{0xffffffff: now, 0: now.Add(-time.Minute)}})
	stop()

	l, stop = start(t, path, opts)
	defer stop()
	check("after a stop in order", Memory{
		Clean: true, Closed: map[uint32]time.Time{0xffffffff: now, 0: now.Add(-time.Minute)}, Rigs: []Rig{first},
	})
	check("after a crash", Memory{Closed: none, Rigs: []Rig{first}})
}
