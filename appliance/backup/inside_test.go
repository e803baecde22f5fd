package backup

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// FuzzInside reads what somebody has encrypted who knows the passphrase: an archive
// that is anything. Without the encryption, which is drawn anew each time, the search
// can tell what is new.
func FuzzInside(f *testing.F) {
	sum := sha256.Sum256([]byte("shares"))
	text, err := json.Marshal(Manifest{
		Format: Format, Name: "x", Network: "practice", Made: time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC),
		Files: []File{{Name: "shares.db", Size: 6, SHA256: sum[:]}},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, manifest := range []string{string(text), "{}", `{"format":2}`, strings.Replace(string(text), "shares.db", "../shares.db", 1)} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, entry := range []struct{ name, text string }{{manifestName, manifest}, {"shares.db", "shares"}} {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: entry.name, Size: int64(len(entry.text)), Mode: 0o600}); err != nil {
				f.Fatal(err)
			}
			if _, err := io.WriteString(w, entry.text); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		src := &source{r: bytes.NewReader(content)}
		a, err := inside(src, src)
		if err != nil {
			return
		}
		var sum int64
		err = a.Each(func(file File, r io.Reader) error {
			if strings.ContainsAny(file.Name, "/\\") || strings.HasPrefix(file.Name, ".") {
				t.Errorf("a file called %q", file.Name)
			}
			n, err := io.Copy(io.Discard, r)
			sum += n
			return err
		})
		if sum > int64(len(content)) || err == nil && sum != a.manifest.Bytes() {
			t.Errorf("%d bytes out of %d, and %d were announced: %v", sum, len(content), a.manifest.Bytes(), err)
		}
	})
}
