package work

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// jobsToKeep returns jobs of two templates that differ in one transaction, two
// layouts, and copies.
func jobsToKeep(t *testing.T) Jobs {
	t.Helper()
	first, template, layout := newJob(t, 40)
	raw := newRawTemplate(t, 41)
	second := raw.parse(t)
	other, err := NewJob(second, newLayout(second.CoinbaseValue), 9, second.CurTime+5)
	if err != nil {
		t.Fatal(err)
	}
	layout.Tag = "/other/"
	own, err := NewJob(template, layout, 10, template.CurTime)
	if err != nil {
		t.Fatal(err)
	}
	own.MaxTime = own.Time + 100
	noted, err := first.With(11, Layout{Tag: first.Layout.Tag, Outputs: first.Layout.Outputs, Note: []byte("the same coinbase for another reason")})
	if err != nil {
		t.Fatal(err)
	}
	return Jobs{first, first.WithID(7, template.CurTime+30), other, own, other.WithID(8, 0), noted}
}

// A job that was kept makes the very same shares and the very same blocks.
func TestKeptJobs(t *testing.T) {
	jobs := jobsToKeep(t)
	text, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	var got Jobs
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(jobs, got, cmp.AllowUnexported(Job{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("kept jobs (-want +got):\n%s", diff)
	}
	for i, j := range jobs {
		s := Solution{Extranonce: [ExtranonceSize]byte{1, 2, 3}, Version: j.Version, Time: j.Time, Nonce: 5}
		if !bytes.Equal(j.Block(s), got[i].Block(s)) {
			t.Errorf("job %d makes another block", i)
		}
	}
	if got[0].Template() != got[1].Template() || got[0].Template() == got[2].Template() {
		t.Error("copies of a job do not share their template")
	}
	if n := strings.Count(string(text), `"Raw"`); n != 41 {
		t.Errorf("%d transactions are written, want each of 41 once", n)
	}
}

func TestNoJobsKept(t *testing.T) {
	text, err := json.Marshal(Jobs(nil))
	if err != nil {
		t.Fatal(err)
	}
	var got Jobs
	if err := json.Unmarshal(text, &got); err != nil || len(got) != 0 {
		t.Errorf("no jobs come back as %v, %v", got, err)
	}
}

// What does not fit together makes no block.
func TestSpoiledKeptJobs(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*keptJobs)
	}{
		{"other bytes", func(k *keptJobs) { k.Txs[3].Raw[20]++ }},
		{"other order", func(k *keptJobs) { k.Templates[0].Txs[1], k.Templates[0].Txs[2] = 2, 1 }},
		{"transaction missing", func(k *keptJobs) { k.Templates[1].Txs[0] = len(k.Txs) }},
		{"other commitment", func(k *keptJobs) { k.Templates[0].WitnessCommitment[9]++ }},
		{"template missing", func(k *keptJobs) { k.Jobs[0].From = -1 }},
		{"template of another", func(k *keptJobs) { k.Jobs[0].From = 1 }},
		{"no coinbase", func(k *keptJobs) { k.Jobs[0].Coinbase1 = nil }},
		{"other number", func(k *keptJobs) { k.Jobs[0].ID++ }},
		{"coinbase cut", func(k *keptJobs) { k.Jobs[0].Coinbase2 = k.Jobs[0].Coinbase2[:3] }},
		{"copy of none", func(k *keptJobs) { k.Order[0].Of = len(k.Jobs) }},
	}
	for _, test := range tests {
		text, err := json.Marshal(jobsToKeep(t))
		if err != nil {
			t.Fatal(err)
		}
		var kept keptJobs
		if err := json.Unmarshal(text, &kept); err != nil {
			t.Fatal(err)
		}
		test.spoil(&kept)
		if text, err = json.Marshal(kept); err != nil {
			t.Fatal(err)
		}
		var got Jobs
		if err := json.Unmarshal(text, &got); err == nil {
			t.Errorf("%s: taken", test.name)
		}
	}
}
