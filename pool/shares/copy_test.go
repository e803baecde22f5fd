package shares

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A copy of a log that goes on knows the same window, takes shares behind it, and has
// next to no single ones.
func TestCopy(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "shares.db"), filepath.Join(dir, "copy.db")
	l, stop := start(t, path, Options{})
	var seq int64
	for i := range 20 {
		seq = put(t, l, share([]string{"a", "b"}[i%2], int64(100+i), time.Duration(i)*10*time.Second))
	}
	want, err := l.Window(t.Context(), seq, 2000) // which has the sums written
	if err != nil {
		t.Fatal(err)
	}
	if err := Copy(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	put(t, l, share("c", 1, time.Hour))
	stop()

	if left, err := filepath.Glob(copied + "?*"); err != nil || left != nil {
		t.Errorf("left beside the copy: %v, %v", left, err)
	}
	l, stop = start(t, copied, Options{})
	defer stop()
	if left := works(t, l); len(left) != 0 {
		t.Errorf("%d single shares are in the copy", len(left))
	}
	got, err := l.Window(t.Context(), seq, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scores(want), scores(got)); diff != "" {
		t.Errorf("window of the copy (-want +got):\n%s", diff)
	}
	if next := put(t, l, share("a", 1, time.Hour)); next <= seq {
		t.Errorf("the next share has number %d, the last one had %d", next, seq)
	}
	if err := Copy(t.Context(), filepath.Join(dir, "missing.db"), copied); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a log that is not there: %v", err)
	}
}
