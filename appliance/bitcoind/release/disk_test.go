package release

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/faultdisk"
)

// A disk that fills up in the middle of a download ends it with a sentence, whether or
// not the server tells beforehand how much comes; when there is room again, it goes on.
func TestDownloadOntoAFullDisk(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	v := Version{31, 1}
	for name, told := range map[string]bool{"the length is known": true, "it is not": false} {
		t.Run(name, func(t *testing.T) {
			disk := faultdisk.Memory(t, "300m") // a little more than what has to stay free
			f := newFolder(t)
			f.Root = disk.Dir
			if err := f.Prepare(); err != nil {
				t.Fatal(err)
			}
			entries := shape(v)
			entries = append(entries, regular(Release{Version: v}.Name()+"/doc", noise(3<<20)))
			archive := pack(t, entries...)
			r := of(v, archive)
			source := serve(t, func(w http.ResponseWriter, q *http.Request) {
				if told {
					whole(w, q, "tag", archive)
					return
				}
				_, _ = bytes.NewReader(archive).WriteTo(w)
			})
			source.Limit = 8 << 20

			var begun int64
			fill := func(done, _ int64) {
				if begun == 0 {
					disk.Fill(1 << 20)
				}
				begun = done
			}
			if err := f.Get(t.Context(), source, r, fill); !errors.Is(err, ErrNoSpace) {
				t.Errorf("Get = %v, want %v", err, ErrNoSpace)
			}
			if begun == 0 || begun >= int64(len(archive)) {
				t.Errorf("it ended at %d of %d bytes, not in the middle", begun, len(archive))
			}
			if now, err := f.Current(); err != nil || !now.IsZero() {
				t.Errorf("Current = %v, %v after a download that did not end", now, err)
			}
			disk.Clear()
			if err := f.Get(t.Context(), source, r, silent); err != nil {
				t.Errorf("Get with room again: %v", err)
			}
			if err := f.Verify(v); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

// noise is text that gzip makes no smaller.
func noise(n int) string {
	var b strings.Builder
	for x := uint64(1); b.Len() < n; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		for i := range 8 {
			b.WriteByte(byte(x >> (8 * i)))
		}
	}
	return b.String()
}
