package vitals

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func files(content map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range content {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

// Every figure comes from its file, and is not known where there is none.
func TestRead(t *testing.T) {
	whole := map[string]string{
		"proc/stat":        "cpu  100 5 50 8000 40 3 2 0 7 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nbtime 1\n",
		"proc/meminfo":     "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    5000000 kB\n",
		"proc/self/status": "Name:\tdmpool\nVmRSS:\t   61440 kB\n",
		"proc/self/net/dev": "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n" +
			"    lo: 9000 1 0 0 0 0 0 0 9000 1 0 0 0 0 0 0\n  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n wlan0: 10 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n",
		"sys/class/thermal/thermal_zone0/temp": "41000\n",
		"sys/class/thermal/thermal_zone1/temp": "52500\n",
	}
	confined := map[string]string{
		"sys/fs/cgroup/cpu.stat": "usage_usec 1600000\nuser_usec 1\n",
	}
	for name, tc := range map[string]struct {
		files map[string]string
		want  Reading
	}{
		"a machine": {whole, Reading{
			Busy: new(1600 * time.Millisecond), Memory: new(int64(8000000 << 10)), Available: new(int64(5000000 << 10)),
			Own: new(int64(61440 << 10)), Received: new(int64(1010)), Sent: new(int64(505)), Celsius: new(52.5),
		}},
		"behind the unit": {confined, Reading{Busy: new(1600 * time.Millisecond)}},
		"nothing":         {nil, Reading{}},
		"nonsense":        {map[string]string{"proc/stat": "cpu a b c d e f", "proc/meminfo": "MemTotal: much", "proc/self/net/dev": "eth0: x", "sys/class/thermal/thermal_zone0/temp": "hot"}, Reading{}},
	} {
		tc.want.At = noon
		got := read(files(tc.files), noon)
		if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(Reading{}, "Cores")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	cache := cgroupCache(files(map[string]string{"sys/fs/cgroup/memory.stat": "anon 5\nactive_file 30\ninactive_file 12\n"}))
	if cache == nil || *cache != 42 {
		t.Errorf("cache %v, want 42", cache)
	}
}

func TestSince(t *testing.T) {
	older := Reading{At: noon, Cores: 4, Busy: new(10 * time.Second), Received: new(int64(1000)), Sent: new(int64(900))}
	newer := Reading{At: noon.Add(10 * time.Second), Cores: 4, Busy: new(30 * time.Second), Received: new(int64(6000)), Sent: new(int64(100))}
	want := Rate{Busy: new(0.5), Received: new(500.0)}
	if diff := cmp.Diff(want, newer.Since(older)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Rate{}, older.Since(newer)); diff != "" {
		t.Errorf("backwards:\n%s", diff)
	}
	if got := newer.Since(Reading{At: noon}); got.Busy != nil || got.Received != nil {
		t.Errorf("from nothing: %+v", got)
	}
}

// This machine has a processor and memory.
func TestThisMachine(t *testing.T) {
	r := Read(noon)
	if r.Busy == nil || *r.Busy <= 0 || r.Memory == nil || r.Available == nil || *r.Available > *r.Memory || r.Own == nil {
		t.Errorf("reading %+v", r)
	}
}
