package work

import (
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"
)

// What has been accepted survives a restart as text, and only what is taken
// back may come again.
func TestSeenOverRestart(t *testing.T) {
	tip, first, second := chainhash.Hash{9}, chainhash.Hash{1}, chainhash.Hash{0: 1, 15: 2}
	before := NewSeen()
	for _, h := range []chainhash.Hash{first, second} {
		if !before.add(tip, markOf(h)) {
			t.Fatalf("%x is a duplicate of another hash", h)
		}
	}
	before.Remove(tip, second)
	text, err := json.Marshal(before.On(tip))
	if err != nil {
		t.Fatal(err)
	}
	if want := `["01000000000000000000000000000000"]`; string(text) != want {
		t.Errorf("written as %s, want %s", text, want)
	}

	var marks []Mark
	if err := json.Unmarshal(text, &marks); err != nil {
		t.Fatal(err)
	}
	after := NewSeen()
	after.Learn(tip, marks)
	got := []bool{after.add(tip, markOf(first)), after.add(tip, markOf(second)), after.add(chainhash.Hash{}, markOf(first))}
	if diff := cmp.Diff([]bool{false, true, true}, got); diff != "" {
		t.Errorf("fresh (-want +got):\n%s", diff)
	}
	for _, text := range []string{`"01"`, `"0100000000000000000000000000000g"`} {
		if err := json.Unmarshal([]byte(text), new(Mark)); err == nil {
			t.Errorf("%s is read as a mark", text)
		}
	}
}
