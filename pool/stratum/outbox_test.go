package stratum

import (
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/work"
)

func jobItem(difficulty, line string, clean bool) item {
	it := item{line: []byte(line), job: &work.Job{}, clean: clean}
	if difficulty != "" {
		it.difficulty = []byte(difficulty)
	}
	return it
}

func TestOutboxBatch(t *testing.T) {
	o := newOutbox()
	o.push(item{line: []byte("answer ")}, jobItem("d1 ", "job1 ", true))
	o.push(jobItem("", "job2", false))
	batch, clean, done := o.take(nil)
	if got, want := string(batch), "answer d1 job1 job2"; got != want {
		t.Errorf("batch %q, want %q", got, want)
	}
	if clean == nil || done {
		t.Errorf("take = clean %v, done %v", clean, done)
	}
	if batch, clean, _ = o.take(batch[:0]); len(batch) != 0 || clean != nil {
		t.Errorf("second take = %q, %v", batch, clean)
	}
	o.push(item{line: []byte("last")})
	o.close()
	o.push(item{line: []byte("too late")})
	if batch, _, done = o.take(nil); string(batch) != "last" || !done || o.err() != nil {
		t.Errorf("take after close = %q, done %v, err %v", batch, done, o.err())
	}
}

// When a miner is too slow its superseded jobs go, but no difficulty gets lost
// and nothing that is still good.
func TestOutboxDropsSuperseded(t *testing.T) {
	o := newOutbox()
	o.push(jobItem("d1 ", "old ", false), item{line: []byte("answer ")}, jobItem("", "clean ", true))
	o.push(jobItem("d2 ", "old ", false))
	for range maxOutboxItems {
		o.push(jobItem("", "newest", false))
	}
	batch, _, done := o.take(nil)
	got := string(batch)
	if want := "answer d1 clean d2 "; !strings.HasPrefix(got, want) || strings.Contains(got, "old") || done {
		t.Errorf("batch %q, done %v, want it to begin with %q", got, done, want)
	}
}

func TestOutboxOverflow(t *testing.T) {
	tests := []struct {
		name string
		it   item
		n    int
	}{
		{"answers", item{line: []byte("x")}, maxOutboxItems + 1},
		{"clean jobs", jobItem("", "x", true), maxOutboxItems + 1},
		{"bytes", item{line: make([]byte, maxOutboxBytes/2)}, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOutbox()
			for range test.n - 1 {
				o.push(test.it)
			}
			if o.err() != nil {
				t.Fatal("overflow too early")
			}
			o.push(test.it)
			if batch, _, done := o.take(nil); len(batch) != 0 || !done || o.err() == nil {
				t.Errorf("take = %d bytes, done %v, err %v", len(batch), done, o.err())
			}
		})
	}
}
