package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static/*
var staticFS embed.FS

// assets are the static files, under a hash of all of them: a URL never
// changes its content, so browsers may keep it for ever.
type assets struct {
	hash  string
	files map[string]asset
}

// asset is a file as it is, and packed. Only these files are ever sent packed. A page
// is not: it holds its form token beside what its URL says, and the length of the two
// packed together would tell one from the other (BREACH). At home the bytes cost
// nothing; what is large, and fetched again and again elsewhere, is in these files.
type asset struct{ plain, packed []byte }

func loadAssets() (assets, error) {
	a := assets{files: map[string]asset{}}
	entries, err := staticFS.ReadDir("static")
	if err != nil {
		return a, err
	}
	sum := sha256.New()
	for _, e := range entries {
		content, err := staticFS.ReadFile("static/" + e.Name())
		if err != nil {
			return a, err
		}
		packed, err := pack(content)
		if err != nil {
			return a, err
		}
		a.files[e.Name()] = asset{content, packed}
		fmt.Fprintf(sum, "%s %d\n", e.Name(), len(content))
		sum.Write(content)
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return a, nil
}

func pack(content []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// unpacks tells whether the browser takes gzip. All do that do not say otherwise.
func unpacks(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if name == "gzip" && strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "" || name == "gzip" && quality == "" {
			return true
		}
	}
	return false
}

// url is where a page links an asset.
func (a assets) url(name string) string { return "/static/" + a.hash + "/" + name }

func (s *site) static(w http.ResponseWriter, r *http.Request, _ caller) error {
	name := r.PathValue("file")
	file, ok := s.assets.files[name]
	if !ok || r.PathValue("hash") != s.assets.hash {
		return notFound()
	}
	h := w.Header()
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	content := file.plain
	if unpacks(r) {
		h.Set("Content-Encoding", "gzip")
		content = file.packed
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}

func (s *site) favicon(w http.ResponseWriter, r *http.Request, _ caller) error {
	http.Redirect(w, r, s.assets.url("favicon.svg"), http.StatusFound)
	return nil
}

func (s *site) robots(w http.ResponseWriter, _ *http.Request, _ caller) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte("User-agent: *\nDisallow: /\n"))
	return err
}
