package webui

import (
	"context"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/dmpool/dmpool/appliance/logbook"
	"github.com/dmpool/dmpool/appliance/support"
)

// supportLines is how much of the log goes into a support bundle.
const supportLines = 2000

// supportView fills templates/support.html: what a bundle would hold now, for the
// operator to read before it is sent anywhere.
type supportView struct {
	Open  bool // addresses of miners and computers are in it
	Files []support.File
}

// AboutProgram adds to a bundle what the program knows of itself, and when that was.
func AboutProgram(b *support.Bundle, version string, now time.Time) error {
	about := map[string]any{
		"made_at": now.UTC().Format(time.RFC3339), "version": version,
		"go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH, "goroutines": runtime.NumGoroutine(),
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		about["revision"] = revision(build)
		modules := map[string]string{}
		for _, m := range build.Deps {
			modules[m.Path] = m.Version
		}
		about["modules"] = modules
	}
	return b.Facts("about.json", about)
}

// bundle gathers what helps somebody who helps.
func (s *site) bundle(ctx context.Context, open bool) (*support.Bundle, error) {
	b := support.New(open)
	if err := AboutProgram(b, s.version, s.now()); err != nil {
		return nil, err
	}
	if err := s.box.Support(ctx, b); err != nil {
		return nil, err
	}
	if s.book == nil {
		return b, nil
	}
	return b, b.Log("log.txt", s.book.Read(logbook.Filter{}, supportLines))
}

func (s *site) support(r *http.Request, _ caller) (any, error) {
	v := supportView{Open: r.URL.Query().Has("addresses")}
	b, err := s.bundle(r.Context(), v.Open)
	if err != nil {
		return nil, err
	}
	v.Files = b.Files
	return v, nil
}

// sendSupport sends the bundle as a file.
func (s *site) sendSupport(w http.ResponseWriter, r *http.Request, who caller) error {
	b, err := s.bundle(r.Context(), r.PostFormValue("addresses") != "")
	if err != nil {
		return err
	}
	now := s.now()
	if err := s.box.Note(r.Context(), who.Operator, "support.bundle", "", who.IP.String()); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="dmpool-support-`+now.UTC().Format("2006-01-02-1504")+`.zip"`)
	return gone(b.Write(w, now))
}
