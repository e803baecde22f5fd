package webui

import (
	"net/http"
	"time"
)

// previewView fills templates/backup_preview.html, and the part of that name in the
// first set-up: what is in a backup, and what it would replace.
type previewView struct {
	ID      int64 // of the backup, 0 for a file that was brought
	Name    string
	Network string
	Made    time.Time
	Program string
	Wallet  bool
	Notice  string // what is not in it, a sentence
	Backup  booksLine
	Here    *booksLine // nil: there is nothing that it would replace
	Broken  string     // why that cannot be read, a sentence
	Lost    lossView
	Command string // that restores it
}

// booksLine are the books of a box in a few figures.
type booksLine struct {
	Pool      string
	Operators []string
	Miners    int
	Blocks    int
	Owed      int64 // satoshis, to all miners together
	Last      time.Time
}

// lossView is what is here and not in the backup. What was put aside keeps it.
type lossView struct {
	Bookings, Blocks int
	Shares           int64
	Payouts          int   // that the pool has signed since
	Paid             int64 // satoshis, by these
}

// None tells whether nothing would be missing.
func (l lossView) None() bool { return l == lossView{} }

// backupPreview is the form that asks for it.
const backupPreview = "preview"

// previewTime is how long it may take to unpack a backup and to look at all of it.
const previewTime = 15 * time.Minute

// previewBackup shows what would change. It restores to a scratch place, and changes
// nothing.
func (s *site) previewBackup(w http.ResponseWriter, r *http.Request, who caller, id int64) error {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(previewTime)) // not every connection has one
	v, err := s.box.PreviewBackup(r.Context(), id)
	if err != nil {
		return err
	}
	s.show(w, r, who, http.StatusOK, "backup_preview", v)
	return nil
}
