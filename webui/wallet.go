package webui

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// walletPage fills templates/wallet.html.
type walletPage struct {
	Name, Address string
	Problem       string // why it is not ready, a sentence
	Loaded        bool   // the node has opened it
	Cold          bool   // its keys are on another machine
	Locked        bool   // its passphrase has to be typed
	Unlock        string // how the passphrase is kept: "auto" or "ask"
	Kept          string // where the passphrase is: "service", "file", "memory", or empty
	KeptIn        string // that file, with "file"
	Restorable    bool   // from words or a copy, so that mining does not wait for it
	Paid          bool   // blocks pay it

	Trusted, Immature, Pending *int64
	Reserved                   *int64 // what payouts under way will send
	Coins                      *coinsView
	FeeRates                   []feeLine
	Code                       qr    // of Address
	Missing                    int64 // coins in blocks that the node does not have any more

	Words    string // "none", "wanted", "drawn" or "confirmed"
	Ask      []int  // with "drawn": which words to type
	Print    string // with "confirmed": their fingerprint
	TestedAt time.Time

	Copied time.Time // when the last sound copy was made
	Failed string    // why the last copy is not sound, a sentence
	Copies []string
	Folder string
	Limit  int64 // what it may hold, 0: no limit
	Over   int64
	Advice string // what to do when it holds too much
	Target string // the cold address
	Next   string // the one that takes its place at NextAt
	NextAt time.Time

	DraftsSweep bool   // what is the pool's own beyond the limit is drafted by itself
	OwnOver     int64  // what of that can go to the cold address now
	Own         int64  // what can go there at all
	Key         string // makes drafting idempotent

	Done    string // the action that has just been done
	Wrong   string // the action whose form came back
	Refusal string // why it came back, a sentence; empty: the password was wrong
}

// Untested reports whether nobody has tried the way back for half a year.
func (v walletPage) Untested(now time.Time) bool {
	return v.Words != walletWanted && v.Words != walletDrawn && now.Sub(v.TestedAt) > 180*24*time.Hour
}

// Where the keys come from, see the appliance.
const (
	walletWanted = "wanted"
	walletDrawn  = "drawn"
)

// The things that a person can do about the wallet, as the URL names them.
const (
	walletConfirm = "confirm" // type three of the words
	walletTest    = "test"    // type all of them
	walletWords   = "restore" // from words
	walletCopy    = "revive"  // from a copy that is here
	walletUpload  = "upload"  // from a copy that somebody brings
	walletKeep    = "keep"    // where the passphrase is
	walletLimit   = "limit"   // what it may hold
	walletSweep   = "sweep"   // move the pool's own to the cold address
)

// walletChange asks for one of them.
type walletChange struct {
	Action     string
	Words      string
	Some       []string // the words that were asked for
	Since      time.Time
	Copy       string
	Passphrase string
	Unlock     string
	Limit      int64
	Target     string
	Draft      bool
	Operator   operator
	IP         string
}

// walletCopyFile is a copy of the wallet that somebody takes away.
type walletCopyFile struct {
	io.ReadCloser
	Name string
}

// purse is what the wallet page needs of the appliance.
type purse interface {
	Wallet(ctx context.Context) (walletPage, error)
	DrawWords(ctx context.Context, op operator, ip string) ([]string, error)
	ChangeWallet(ctx context.Context, c walletChange) error
	UploadWallet(ctx context.Context, file io.Reader, c walletChange) error
	CopyOfWallet(ctx context.Context, op operator, ip string) (walletCopyFile, error)
	DraftSweep(ctx context.Context, op operator, key string, all bool, ip string) (payout int64, err error)
}

func (s *site) wallet(r *http.Request, _ caller) (any, error) {
	v, err := s.walletNow(r.Context())
	v.Done = r.URL.Query().Get("done")
	return v, err
}

// walletNow is the wallet with what the books say of it.
func (s *site) walletNow(ctx context.Context) (walletPage, error) {
	v, err := s.box.Wallet(ctx)
	if err != nil {
		return v, err
	}
	money, err := s.box.Money(ctx)
	if err != nil {
		return v, err
	}
	v.Reserved, v.Key = money.Reserved, rand.Text()
	if v.Address != "" {
		v.Code, err = paymentQR(v.Address)
	}
	return v, err
}

// returned shows the page again with what was wrong about a form. What was typed
// is not in it: most of it is secret.
func (s *site) returned(w http.ResponseWriter, r *http.Request, who caller, action, refusal string) error {
	v, err := s.walletNow(r.Context())
	if err != nil {
		return err
	}
	v.Wrong, v.Refusal = action, refusal
	return s.again(w, r, who, "wallet", v)
}

// proven runs an action when the form carries the password. A refusal brings the
// page back with its sentence.
func (s *site) proven(action string, do handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		if !right {
			return s.returned(w, r, who, action, "")
		}
		err = do(w, r, who)
		if p, ok := errors.AsType[*problem](err); ok && (p.Code == "refused" || p.Code == "invalid") {
			return s.returned(w, r, who, action, p.Detail)
		}
		return err
	}
}

// drawWords shows new words, this once: they are in the answer to the form and
// nowhere else, so that no address brings them back.
func (s *site) drawWords() handler {
	return s.proven("words", func(w http.ResponseWriter, r *http.Request, who caller) error {
		words, err := s.box.DrawWords(r.Context(), who.Operator, who.IP.String())
		if err != nil {
			return err
		}
		s.show(w, r, who, http.StatusOK, "words", words)
		return nil
	})
}

func (s *site) changeWallet(action string) handler {
	return s.proven(action, func(w http.ResponseWriter, r *http.Request, who caller) error {
		c, err := readWalletChange(action, r)
		if err != nil {
			return err
		}
		c.Operator, c.IP = who.Operator, who.IP.String()
		if err := s.box.ChangeWallet(r.Context(), c); err != nil {
			return err
		}
		http.Redirect(w, r, "/wallet?done="+action, http.StatusSeeOther)
		return nil
	})
}

func readWalletChange(action string, r *http.Request) (walletChange, error) {
	c := walletChange{
		Action: action, Words: cut(r.PostFormValue("words"), 1000), Some: r.PostForm["word"], Copy: cut(r.PostFormValue("copy"), 200),
		Passphrase: strings.TrimSpace(cut(r.PostFormValue("passphrase"), 1024)), Target: strings.TrimSpace(cut(r.PostFormValue("target"), 100)),
		Unlock: cut(r.PostFormValue("unlock"), 10), Draft: r.PostFormValue("draft") != "",
	}
	if day := r.PostFormValue("since"); day != "" {
		since, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return c, invalid("The day is not understood. Write it like 2026-11-22.")
		}
		c.Since = since
	}
	if text := strings.TrimSpace(r.PostFormValue("limit")); text != "" {
		limit, ok := typedSats(text)
		if !ok {
			return c, invalid("The limit is an amount of satoshis, or 0 for none.")
		}
		c.Limit = limit
	}
	return c, nil
}

// sweep prepares to move the pool's own money to the cold address. It sends nothing:
// the payout waits for its approval as any other.
func (s *site) sweep(w http.ResponseWriter, r *http.Request, who caller) error {
	key := cut(r.PostFormValue("key"), 64)
	if key == "" {
		return invalid("The form has no key. Open the wallet page and try again.")
	}
	id, err := s.box.DraftSweep(r.Context(), who.Operator, key, r.PostFormValue("all") != "", who.IP.String())
	if p, ok := errors.AsType[*problem](err); ok && p.Code == "refused" {
		return s.returned(w, r, who, walletSweep, p.Detail)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/payouts/"+strconv.FormatInt(id, 10), http.StatusSeeOther)
	return nil
}

// uploadWallet restores the wallet from a file, which is never in memory as a whole.
func (s *site) uploadWallet(w http.ResponseWriter, r *http.Request, who caller) error {
	file := receive(w, r)
	defer file.hear()
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		file.hear()
		return s.returned(w, r, who, walletUpload, "")
	}
	c, err := readWalletChange(walletUpload, r)
	if err != nil {
		return err
	}
	c.Operator, c.IP = who.Operator, who.IP.String()
	err = s.box.UploadWallet(r.Context(), file, c)
	if p, ok := errors.AsType[*problem](err); ok && p.Code == "refused" {
		file.hear()
		return s.returned(w, r, who, walletUpload, p.Detail)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/wallet?done="+walletUpload, http.StatusSeeOther)
	return nil
}

// takeCopy sends the newest sound copy of the wallet as a file.
func (s *site) takeCopy() handler {
	return s.proven("copy", func(w http.ResponseWriter, r *http.Request, who caller) error {
		file, err := s.box.CopyOfWallet(r.Context(), who.Operator, who.IP.String())
		if err != nil {
			return err
		}
		defer file.Close()
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename=%s`, strconv.Quote(file.Name)))
		_, err = io.Copy(w, file)
		return gone(err)
	})
}
