package packaging

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got := parse(`dmpool (1.1.0-2) unstable; urgency=medium

  * First, which
    goes on.
  * Second.

 -- A B <a@b.c>  Mon, 23 Nov 2026 06:00:00 +0000

dmpool (1.0) unstable; urgency=low

  * All.

 -- A B <a@b.c>  Sun, 01 Nov 2026 06:00:00 +0100
`)
	want := []Release{
		{"1.1.0-2", time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), []string{"First, which goes on.", "Second."}},
		{"1.0", time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC), []string{"All."}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
}

// Each entry says what is new and since when; the newest comes first.
func TestReleases(t *testing.T) {
	all := Releases()
	for i, r := range all {
		if r.Version == "" || r.Date.IsZero() || len(r.Points) == 0 {
			t.Errorf("entry %d: %+v", i, r)
		}
		if i > 0 && r.Date.After(all[i-1].Date) {
			t.Errorf("%s is newer than %s", r.Version, all[i-1].Version)
		}
	}
	if len(all) == 0 {
		t.Error("there is no entry")
	}
}
