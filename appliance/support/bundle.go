package support

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/dmpool/dmpool/appliance/logbook"
)

// File is one file of a bundle. All are text that people can read before they send it.
type File struct {
	Name string
	Text string
}

// Bundle is what is sent along. It is not safe for concurrent use.
type Bundle struct {
	Files []File
	scrub *Scrubber
}

// New makes an empty bundle, see [NewScrubber].
func New(open bool) *Bundle { return &Bundle{scrub: NewScrubber(open)} }

// Facts adds what the program itself knows and what cannot hold a secret.
func (b *Bundle) Facts(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	b.Files = append(b.Files, File{name, string(text) + "\n"})
	return nil
}

// Told adds what holds sentences. Every text in v is scrubbed.
func (b *Bundle) Told(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return b.Facts(name, b.clean(tree))
}

func (b *Bundle) clean(v any) any {
	switch v := v.(type) {
	case string:
		return b.scrub.Text(v)
	case []any:
		for i := range v {
			v[i] = b.clean(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = b.clean(v[key])
		}
	}
	return v
}

// Log adds lines of the log.
func (b *Bundle) Log(name string, records []logbook.Record) error {
	var text bytes.Buffer
	h := slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})
	for _, r := range records {
		line := slog.NewRecord(r.At.UTC(), r.Level, b.scrub.Text(r.Message), 0)
		line.AddAttrs(slog.String("part", r.Part))
		for _, a := range r.Attrs {
			line.AddAttrs(slog.String(a.Key, b.scrub.Value(a.Key, a.Value)))
		}
		if err := h.Handle(context.Background(), line); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	b.Files = append(b.Files, File{name, text.String()})
	return nil
}

// Write writes the bundle as a zip, whose files are of the time at.
func (b *Bundle) Write(w io.Writer, at time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range b.Files {
		part, err := z.CreateHeader(&zip.FileHeader{Name: "dmpool-support/" + f.Name, Method: zip.Deflate, Modified: at})
		if err == nil {
			_, err = io.WriteString(part, f.Text)
		}
		if err != nil {
			return fmt.Errorf("write bundle: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}
