package webui

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// backupsView fills templates/backup.html.
type backupsView struct {
	Ready    bool      // there is a passphrase, so that backups are made
	Verified time.Time // when the newest backup was made that is known to restore; zero: there is none
	Problem  string    // what is wrong, a sentence
	Next     string    // what to do about it, a sentence
	Doing    doing     // what is being done at the moment
	NextAt   time.Time // when the next one is due; zero: not known
	Kept     int
	Lines    []backupLine
	More     int64 // before which the list goes on, 0: it is all
	Places   []placeLine

	Command string // that restores one

	Before  int64  // the list begins there, 0: with the newest
	Done    string // what has just been ordered
	Wrong   string // form that came back
	Refusal string // why, a sentence; empty: the password was wrong
}

// OnlyHere tells whether a backup dies with the box.
func (v backupsView) OnlyHere() bool {
	return !slices.ContainsFunc(v.Places, func(p placeLine) bool { return p.Name != "box" && !p.Same })
}

// refusal fills the part of that name: why a form came back.
type refusal struct {
	Form     string
	Sentence string // empty: the password was wrong
	Proof    string // key of that
	To       string // the form's heading
}

// Refused says why a form came back; none did when it has no name.
func (p *page) Refused(form, sentence, to string) refusal {
	return refusal{form, sentence, p.ProofWrong(), to}
}

// doing is what the box does about its backups at the moment.
type doing struct {
	What  string // "create", "verify", or empty
	Since time.Time
}

// backupLine is a backup, or an attempt at one.
type backupLine struct {
	ID        int64
	Name      string
	File      string // where it lies on this box, if it does
	At        time.Time
	Actor     string
	Size      int64
	SHA256    string
	State     string // "running", "sound", "unsound", "unchecked", "failed" or "gone"
	CheckedAt time.Time
	Problem   string // a sentence
	Notice    string // a sentence
	Copies    []copyLine
}

// copyLine is a place that has a backup, or should.
type copyLine struct {
	Place   string
	There   bool
	Gone    bool // it was there
	Problem string
}

// There tells whether the backup can be had from somewhere.
func (l backupLine) There() bool {
	for _, c := range l.Copies {
		if c.There {
			return true
		}
	}
	return false
}

// MB is the size for people.
func (l backupLine) MB() string { return megabytes(l.Size) }

// megabytes writes a size in units of a million bytes, at least a tenth.
func megabytes(size int64) string {
	if size < 10_000_000 {
		return strconv.FormatFloat(max(0.1, float64(size)/1e6), 'f', 1, 64)
	}
	return grouped(strconv.FormatInt((size+500_000)/1_000_000, 10))
}

// placeLine is a place that backups are brought to.
type placeLine struct {
	Name  string // "box", "folder", "disk" or "server"
	Where string // path, or address
	Same  bool   // it is on the disk of the box, and lost with it
	Kept  int    // of the newest backups, how many are there
	At    time.Time
}

// backupFile is a backup that somebody takes away.
type backupFile struct {
	io.ReadCloser
	Name string
	Size int64
}

// backups is what the backup pages need of the appliance.
type backups interface {
	Backups(ctx context.Context, before int64) (backupsView, error)
	Backup(ctx context.Context, id int64) (backupLine, error)
	OrderBackup(ctx context.Context, op operator, ip string) error
	OrderVerify(ctx context.Context, id int64, op operator, ip string) error
	OpenBackup(ctx context.Context, id int64, op operator, ip string) (backupFile, error)
	RemoveBackup(ctx context.Context, id int64, place string, op operator, ip string) error
	CleanUpBackups(ctx context.Context, op operator, ip string) (removed int, err error)
	PreviewBackup(ctx context.Context, id int64) (previewView, error)
	backupPlans
}

// backupPage is the page of all backups.
func (s *site) backupPage(r *http.Request, _ caller) (any, error) {
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	v, err := s.box.Backups(r.Context(), before)
	v.Before, v.Done = before, r.URL.Query().Get("done")
	return v, err
}

// orderBackup has the box make a backup now.
func (s *site) orderBackup(w http.ResponseWriter, r *http.Request, who caller) error {
	err := s.box.OrderBackup(r.Context(), who.Operator, who.IP.String())
	if refusal, ok := refusalOf(err); ok {
		v, err := s.box.Backups(r.Context(), 0)
		if err != nil {
			return err
		}
		v.Wrong, v.Refusal = "create", refusal
		return s.again(w, r, who, "backup", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/backup?done=create", http.StatusSeeOther)
	return nil
}

// refusalOf is the sentence of a form that was declined.
func refusalOf(err error) (string, bool) {
	p, ok := errors.AsType[*problem](err)
	if ok && (p.Code == "refused" || p.Code == "invalid") {
		return p.Detail, true
	}
	return "", false
}

// backupSheet fills templates/backup_one.html.
type backupSheet struct {
	backupLine
	Doing   doing
	Done    string
	Wrong   string
	Refusal string
}

func backupID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, notFound()
	}
	return id, nil
}

func (s *site) backupOne(r *http.Request, _ caller) (any, error) {
	v, err := s.backupSheet(r)
	v.Done = r.URL.Query().Get("done")
	return v, err
}

func (s *site) backupSheet(r *http.Request) (v backupSheet, err error) {
	id, err := backupID(r)
	if err != nil {
		return v, err
	}
	if v.backupLine, err = s.box.Backup(r.Context(), id); err != nil {
		return v, err
	}
	all, err := s.box.Backups(r.Context(), 0)
	v.Doing = all.Doing
	return v, err
}

// ofBackup runs a form of a backup's page that carries the password. A refusal brings
// the page back with its sentence.
func (s *site) ofBackup(form string, do func(w http.ResponseWriter, r *http.Request, who caller, id int64) error) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		id, err := backupID(r)
		if err != nil {
			return err
		}
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		refusal := ""
		if right {
			var declined bool
			err = do(w, r, who, id)
			if refusal, declined = refusalOf(err); !declined {
				return err
			}
		}
		v, err := s.backupSheet(r)
		if err != nil {
			return err
		}
		v.Wrong, v.Refusal = form, refusal
		return s.again(w, r, who, "backup_one", v)
	}
}

// The forms of a backup's page.
const (
	backupDownload = "download"
	backupVerify   = "verify"
	backupRemove   = "remove"
)

// downloadBackup sends a backup, which is encrypted, as a file.
func (s *site) downloadBackup(w http.ResponseWriter, r *http.Request, who caller, id int64) error {
	file, err := s.box.OpenBackup(r.Context(), id, who.Operator, who.IP.String())
	if err != nil {
		return err
	}
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment; filename="+strconv.Quote(file.Name))
	if file.Size > 0 {
		h.Set("Content-Length", strconv.FormatInt(file.Size, 10))
	}
	_, err = io.Copy(lasting(w), file)
	return gone(err)
}

// lastingWriter writes for as long as somebody reads, where an answer otherwise has
// its time.
type lastingWriter struct {
	to      io.Writer
	control *http.ResponseController
}

func lasting(w http.ResponseWriter) lastingWriter {
	return lastingWriter{w, http.NewResponseController(w)}
}

func (l lastingWriter) Write(p []byte) (int, error) {
	_ = l.control.SetWriteDeadline(time.Now().Add(bodyPatience)) // not every connection has one
	return l.to.Write(p)
}

func (s *site) verifyBackup(w http.ResponseWriter, r *http.Request, who caller, id int64) error {
	if err := s.box.OrderVerify(r.Context(), id, who.Operator, who.IP.String()); err != nil {
		return err
	}
	return toBackup(w, r, id, backupVerify)
}

func (s *site) removeBackup(w http.ResponseWriter, r *http.Request, who caller, id int64) error {
	if err := s.box.RemoveBackup(r.Context(), id, cut(r.PostFormValue("place"), 20), who.Operator, who.IP.String()); err != nil {
		return err
	}
	return toBackup(w, r, id, backupRemove)
}

func toBackup(w http.ResponseWriter, r *http.Request, id int64, done string) error {
	http.Redirect(w, r, "/backup/"+strconv.FormatInt(id, 10)+"?done="+done, http.StatusSeeOther)
	return nil
}
