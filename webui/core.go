package webui

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// coreView is the section about Bitcoin Core on the node page.
type coreView struct {
	State     string // idle, downloading, uploading, trial, failed
	Text      string // a sentence about it
	Busy      bool
	Done      int64 // bytes
	Total     int64 // bytes, 0 is not known
	InUse     string
	Elsewhere bool     // the node's program was named at the start
	Choices   []string // versions, the newest first
	File      string   // what to download elsewhere
	Site      string   // and where
	Wrong     string   // form whose password was wrong: "get" or "upload"
}

// Part is the share of the file that is here, nil when it is not known.
func (v coreView) Part() *float64 {
	if !v.Busy || v.Total <= 0 {
		return nil
	}
	return new(float64(v.Done) / float64(v.Total))
}

// Arrived says how much is here.
func (v coreView) Arrived() string {
	if v.Total <= 0 {
		return fmt.Sprintf("%d MB", v.Done/1e6)
	}
	return fmt.Sprintf("%d of %d MB", v.Done/1e6, (v.Total+1e6-1)/1e6)
}

// getCore begins a download.
func (s *site) getCore(w http.ResponseWriter, r *http.Request, who caller) error {
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		s.showCoreAgain(w, r, who, "get")
		return nil
	}
	version := cut(r.PostFormValue("version"), 20)
	if err := s.box.GetCore(r.Context(), version, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/node#core", http.StatusSeeOther)
	return nil
}

func (s *site) stopCore(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := s.box.StopCore(r.Context(), who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/node#core", http.StatusSeeOther)
	return nil
}

// uploadCore takes a release as a file. It is never in memory as a whole.
func (s *site) uploadCore(w http.ResponseWriter, r *http.Request, who caller) error {
	file := receive(w, r)
	defer file.hear()
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		file.hear()
		s.showCoreAgain(w, r, who, "upload")
		return nil
	}
	if err := s.box.UploadCore(r.Context(), file, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/node#core", http.StatusSeeOther)
	return nil
}

// showCoreAgain shows the node page when the password of a form was wrong.
func (s *site) showCoreAgain(w http.ResponseWriter, r *http.Request, who caller, form string) {
	v := s.box.Node(r.Context())
	v.Core.Wrong = form
	s.show(w, r, who, http.StatusUnprocessableEntity, "node", v)
}

// The routes whose file is read as it comes, and the largest forms: the box takes
// releases of 200 MB, wallets of 256 MB, and backups for which it has room.
const (
	uploadPath = "/node/core/upload"
	maxUpload  = 201 << 20

	setupUploadPath = "/setup/core/upload"

	walletUploadPath = "/wallet/" + walletUpload
	maxWalletUpload  = 257 << 20

	setupRestorePath = "/setup/restore/upload"
	maxBackupUpload  = 64 << 30
)

// uploadLimit returns the size of the largest form of such a route, 0 for all others.
func uploadLimit(path string) int64 {
	switch path {
	case uploadPath, setupUploadPath:
		return maxUpload
	case walletUploadPath:
		return maxWalletUpload
	case setupRestorePath:
		return maxBackupUpload
	}
	return 0
}

// openUpload makes the fields of a form that stand before its file the request's
// form, and the file's content its body.
func openUpload(r *http.Request) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "multipart/form-data" {
		return errors.New("not a form with a file")
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return err
	}
	form := url.Values{}
	const most = 8
	for range most {
		part, err := parts.NextPart()
		if err != nil {
			return err
		}
		if part.FormName() == "file" {
			r.Form, r.PostForm, r.Body = form, form, part
			return nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxForm))
		if err != nil {
			return err
		}
		form.Add(part.FormName(), string(value))
	}
	return errors.New("a form without a file")
}

// unhurried reads a body for as long as it keeps coming, where a request
// otherwise has its time.
type unhurried struct {
	from    io.Reader
	control *http.ResponseController
}

// receive takes the file of a form, of which everything else has been read.
func receive(w http.ResponseWriter, r *http.Request) *unhurried {
	return &unhurried{from: r.Body, control: http.NewResponseController(w)}
}

// hear reads the rest before an answer: a browser that is cut off shows none.
func (u *unhurried) hear() { _, _ = io.Copy(io.Discard, u) }

func (u *unhurried) Read(p []byte) (int, error) {
	deadline := time.Now().Add(bodyPatience)
	_ = u.control.SetReadDeadline(deadline) // not every connection has one
	_ = u.control.SetWriteDeadline(deadline.Add(bodyPatience))
	return u.from.Read(p)
}

// bodyPatience is how long an upload may pause.
const bodyPatience = 30 * time.Second
