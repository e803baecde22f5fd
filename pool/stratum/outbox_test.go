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
	o := &outbox{}
	o.push(item{line: []byte("answer ")}, jobItem("d1 ", "job1 ", true))
	o.push(jobItem("", "job2", false))
	batch, clean, ok := o.take(nil)
	if got, want := string(batch), "answer d1 job1 job2"; got != want {
		t.Errorf("batch %q, want %q", got, want)
	}
	if clean == nil || !ok {
		t.Errorf("take = clean %v, ok %v", clean, ok)
	}
	if o.push(item{line: []byte("last")}) {
		t.Error("a second writer is asked for")
	}
	closed := make(chan struct{})
	go func() { o.close(); close(closed) }()
	if batch, _, ok = o.take(nil); string(batch) != "last" || !ok || o.err() != nil {
		t.Errorf("take = %q, ok %v, err %v", batch, ok, o.err())
	}
	if batch, clean, ok = o.take(batch[:0]); len(batch) != 0 || clean != nil || ok {
		t.Errorf("third take = %q, %v, ok %v", batch, clean, ok)
	}
	<-closed // did not wait for ever
	if o.push(item{line: []byte("too late")}) || len(o.items) > 0 {
		t.Error("a closed outbox takes more")
	}
}

// When a miner is too slow its superseded jobs go, but no difficulty gets lost
// and nothing that is still good.
func TestOutboxDropsSuperseded(t *testing.T) {
	o := &outbox{}
	o.push(jobItem("d1 ", "old ", false), item{line: []byte("answer ")}, jobItem("", "clean ", true))
	o.push(jobItem("d2 ", "old ", false))
	for range maxOutboxItems {
		o.push(jobItem("", "newest", false))
	}
	batch, _, ok := o.take(nil)
	got := string(batch)
	if want := "answer d1 clean d2 "; !strings.HasPrefix(got, want) || strings.Contains(got, "old") || !ok {
		t.Errorf("batch %q, ok %v, want it to begin with %q", got, ok, want)
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
			o := &outbox{}
			for range test.n - 1 {
				o.push(test.it)
			}
			if o.err() != nil {
				t.Fatal("overflow too early")
			}
			o.push(test.it)
			if batch, _, ok := o.take(nil); len(batch) != 0 || ok || o.err() == nil {
				t.Errorf("take = %d bytes, ok %v, err %v", len(batch), ok, o.err())
			}
		})
	}
}
