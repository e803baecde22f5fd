package appliance

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/vitals"
)

// Rates are those since the sample before; without one they are not known.
func TestMonitor(t *testing.T) {
	var m monitor
	at := func(seconds int) reading {
		return reading{machine: vitals.Reading{At: time.Unix(int64(seconds), 0)}}
	}
	first, second, third := at(0), at(30), at(60)
	second.pool, second.accepted = true, 10
	third.pool, third.accepted, third.rejected = true, 64, 6
	m.add(Sample{}, first)
	m.add(Sample{}, second)
	m.add(Sample{}, third)
	if s := m.samples[1]; s.Shares != nil || s.Rejected != nil {
		t.Errorf("rates of a pool that has just begun: %+v", s)
	}
	if s := m.samples[2]; s.Shares == nil || *s.Shares != 2 || s.Rejected == nil || *s.Rejected != 0.1 {
		t.Errorf("60 shares in 30 s, 6 of them rejected: %+v", s)
	}
	m.add(Sample{}, third)
	if s := m.samples[3]; s.Rejected != nil {
		t.Error("a part of no shares was rejected")
	}
	for range samplesKept {
		m.add(Sample{At: time.Unix(1, 0)}, third)
	}
	if len(m.samples) != samplesKept || m.samples[0].At.IsZero() {
		t.Errorf("%d samples, the oldest of %s", len(m.samples), m.samples[0].At)
	}
}

func TestSizeOf(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"a.db": 100, "a.db-wal": 30, "a.db-other": 5, "node/blocks/blk0": 7} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int64{"a.db": 130, "node": 7, "nothing": 0} {
		if got := sizeOf(filepath.Join(dir, name)); got != want {
			t.Errorf("%s takes %d, want %d", name, got, want)
		}
	}
}
