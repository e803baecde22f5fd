package webui

import (
	"bytes"
	_ "embed"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// licences are the licences of all modules that are linked in, one after the other,
// each below a line "== MODULE". TestLicences writes the file and finds what is missing.
//
//go:embed licences.txt
var licences []byte

// aboutView fills templates/about.html.
type aboutView struct {
	Version  string
	Revision string // of the source, empty when the binary does not know
	Go       string
	System   string
	Modules  []moduleLine
	Parts    []partSize

	News  []News // of the newest releases
	Since string // the version before this one on this box, empty: none is known
	At    time.Time

	HTTPS, Stratum *certificateView
	Secure         bool // this page came over TLS
}

// News is what a release of the program brought.
type News struct {
	Version string
	Date    time.Time
	Points  []string // in English, as their authors wrote them
}

// newsShown is of how many releases the page tells.
const newsShown = 5

// moduleLine is a module that is linked into this binary.
type moduleLine struct{ Path, Version, Licence string }

func (s *site) about(r *http.Request, _ caller) (any, error) {
	v := aboutView{Version: s.version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Secure: r.TLS != nil}
	v.HTTPS, v.Stratum = s.certificates(r)
	m, err := s.box.Monitoring(r.Context())
	if err != nil {
		return nil, err
	}
	v.Parts = m.Parts
	v.News = s.news[:min(newsShown, len(s.news))]
	if v.Since, v.At, err = s.box.Upgraded(r.Context()); err != nil {
		return nil, err
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return v, nil
	}
	v.Revision = revision(build)
	for _, m := range build.Deps {
		v.Modules = append(v.Modules, moduleLine{m.Path, m.Version, licenceOf(m.Path)})
	}
	return v, nil
}

// revision is the commit that a program was built from, empty when it does not know.
func revision(build *debug.BuildInfo) string {
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}

// licenceOf names the kind of a module's licence by what only that kind says, empty
// for a module that is not in the file.
func licenceOf(module string) string {
	_, text, ok := bytes.Cut(licences, []byte("== "+module+"\n"))
	if !ok {
		return ""
	}
	text, _, _ = bytes.Cut(text, []byte("\n== "))
	words := strings.Join(strings.Fields(string(text)), " ")
	for _, kind := range []struct{ name, says string }{
		{"Apache-2.0", "Apache License"},
		{"MPL-2.0", "Mozilla Public License"},
		{"MIT", "Permission is hereby granted, free of charge"},
		{"ISC", "Permission to use, copy, modify, and"},
		{"BSD-3-Clause", "Neither the name"},
		{"BSD-2-Clause", "Redistributions in binary form"},
	} {
		if strings.Contains(words, kind.says) {
			return kind.name
		}
	}
	return "see the text"
}

func (s *site) licences(w http.ResponseWriter, _ *http.Request, _ caller) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write(licences)
	return err
}
