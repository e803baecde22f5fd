package work

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A job with another layout is the job that the template gives with it, and the
// witness sees every way in which it is not.
func TestWith(t *testing.T) {
	base, template, _ := newJob(t, 5)
	layout := Layout{Tag: "/other/", Note: []byte("why"), Outputs: []Output{{Script: []byte{0x52}, Value: template.CoinbaseValue}}}
	got, err := base.With(8, layout)
	if err != nil {
		t.Fatal(err)
	}
	want, err := NewJob(template, layout, 8, base.Time)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Job{}, Template{})); diff != "" {
		t.Errorf("With (-NewJob +With):\n%s", diff)
	}
	if err := WitnessLayout(got, base, layout); err != nil {
		t.Error(err)
	}
	if note := got.WithID(7, base.Time).Layout.Note; string(note) != "why" {
		t.Errorf("the note is %q under another number", note)
	}
	if size := len(got.appendCoinbase(nil, [ExtranonceSize]byte{})) - len(witnessMarker) - len(witnessStack()); got.CoinbaseSize() != size {
		t.Errorf("CoinbaseSize = %d, the coinbase has %d bytes", got.CoinbaseSize(), size)
	}

	short := Layout{Outputs: []Output{{Script: []byte{0x52}, Value: 1}}}
	if _, err := base.With(8, short); err == nil {
		t.Error("a layout that leaves something unspent was taken")
	}
	huge := Layout{Outputs: []Output{{Script: []byte{0x52}, Value: template.CoinbaseValue}}}
	for range 120_000 {
		huge.Outputs = append(huge.Outputs, Output{Script: []byte{0x52}})
	}
	if _, err := base.With(8, huge); err == nil || !strings.Contains(err.Error(), "weigh") {
		t.Errorf("a block that is too heavy: %v", err)
	}
}

func TestWitnessLayout(t *testing.T) {
	base, template, layout := newJob(t, 5)
	for name, spoil := range map[string]func(j *Job, l *Layout){
		"other payee":    func(_ *Job, l *Layout) { l.Outputs[0].Script = []byte{0x53} },
		"other amounts":  func(_ *Job, l *Layout) { l.Outputs[0].Value--; l.Outputs[1].Value++ },
		"other tag":      func(_ *Job, l *Layout) { l.Tag = "/else/" },
		"other branches": func(j *Job, _ *Layout) { j.Branches = j.Branches[1:] },
		"other bits":     func(j *Job, _ *Layout) { j.Bits++ },
		"other template": func(j *Job, _ *Layout) { j.template = &Template{} },
		"late job":       func(j *Job, _ *Layout) { j.MaxTime = 1 },
		"odd coinbase":   func(j *Job, _ *Layout) { j.Coinbase2 = j.Coinbase2[1:] },
	} {
		l := Layout{Tag: layout.Tag, Outputs: append([]Output(nil), layout.Outputs...)}
		j, err := base.With(8, l)
		if err != nil {
			t.Fatal(err)
		}
		spoil(j, &l)
		if err := WitnessLayout(j, base, l); err == nil {
			t.Errorf("%s: the witness saw nothing at height %d", name, template.Height)
		}
	}
}
