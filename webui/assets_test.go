package webui

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"testing"
)

// A first visit to the dashboard takes less than 100 KB, of which the files are
// packed and the page is not; and what was packed comes out as it was.
func TestFirstVisitIsSmall(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	fetch := func(path, accept string) answer {
		t.Helper()
		return w.do(http.MethodGet, path, nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", accept) })
	}
	page := fetch("/", "gzip, deflate, br")
	if page.Header.Get("Content-Encoding") != "" {
		t.Error("a page with a form token is packed")
	}
	total := len(page.body)
	for _, link := range regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(page.body, -1) {
		path := link[1]
		res := fetch(path, "gzip, deflate, br")
		if res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s is not packed", path)
		}
		total += len(res.body)
		for _, accept := range []string{"identity", "gzip;q=0", "br"} {
			if res := fetch(path, accept); res.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s is packed for %q", path, accept)
			}
		}
	}
	t.Logf("a first visit takes %d bytes, %d of them the page", total, len(page.body))
	if total >= 100_000 {
		t.Errorf("a first visit takes %d bytes", total)
	}
	for name, file := range w.site.assets.files {
		r, err := gzip.NewReader(bytes.NewReader(file.packed))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := io.ReadAll(r); err != nil || string(out) != string(file.plain) {
			t.Errorf("%s is damaged: %v", name, err)
		}
	}
}
