package appliance

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/time/rate"
)

// Whoever has the claim code may set the box up: it proves that they can read the
// box's console, its log or its files, which the first stranger in the network
// cannot. It is good until there is an operator, and there is no other flag that
// could open the set-up again.
//
// A connection from the machine itself needs it, too: behind a reverse proxy every
// visitor comes from there, and so does every program of every user.
const (
	codeLetters     = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's base 32
	codeLength      = 10                                 // 50 bits
	claimsPerMinute = 5                                  // by one address
	claimsPerCode   = 30                                 // wrong ones, by all together
)

// ErrClaim says that the claim code is wrong.
var ErrClaim = errors.New("this is not the claim code")

type attempts = rate.Limiter

// newCode draws a claim code, XXXXX-XXXXX.
func newCode() string {
	raw := make([]byte, codeLength)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	for i, b := range raw {
		raw[i] = codeLetters[b%byte(len(codeLetters))] // 256 is a multiple of 32
	}
	return string(raw[:codeLength/2]) + "-" + string(raw[codeLength/2:])
}

// plainCode reads a code as people type it: in any case, with the letters that
// look like digits, with or without blanks and dashes.
func plainCode(typed string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'O':
			return '0'
		case r == 'I' || r == 'L':
			return '1'
		case strings.ContainsRune(codeLetters, r):
			return r
		case r == '-' || r == ' ' || r == '\u2013' || r == '\t' || r == '\r' || r == '\n':
			return -1
		}
		return '?'
	}, strings.ToUpper(typed))
}

func codeHash(code string) []byte {
	sum := sha256.Sum256([]byte("dmpool claim code " + plainCode(code)))
	return sum[:]
}

func holderHash(secret string) []byte {
	sum := sha256.Sum256([]byte("dmpool set-up holder " + secret))
	return sum[:]
}

// claimCredential is the name of a claim code that the owner of the machine has chosen,
// among the service's credentials (systemd.exec(5), ImportCredential=): it is good until
// somebody has guessed too often.
const claimCredential = "claim-code"

// chosenCode returns the owner's code, empty if there is none that is one.
func chosenCode() string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(dir, claimCredential))
	plain := plainCode(string(text))
	if err != nil || len(plain) != codeLength || strings.Contains(plain, "?") {
		return ""
	}
	return plain[:codeLength/2] + "-" + plain[codeLength/2:]
}

// keepCode keeps the code of an earlier start if its file is still there, or else takes
// the owner's, or makes a new one.
func (w *Wizard) keepCode(ctx context.Context) error {
	if c, err := readClaim(w.dir); err == nil {
		var hash []byte
		err := w.db.Reader().QueryRowContext(ctx, `SELECT code_hash FROM claim`).Scan(&hash)
		if err == nil && subtle.ConstantTimeCompare(hash, codeHash(c.Code)) == 1 {
			return w.writeCode(c.Code)
		}
	}
	return w.db.Update(ctx, func(tx *sql.Tx) error { return w.setCode(ctx, tx, cmp.Or(chosenCode(), newCode())) })
}

// setCode puts a new code in force. Who holds the set-up goes on holding it.
func (w *Wizard) setCode(ctx context.Context, tx *sql.Tx, code string) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO claim (id, code_hash, made_at) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET code_hash = excluded.code_hash, tries = 0, made_at = excluded.made_at`,
		codeHash(code), time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("write claim code: %w", err)
	}
	return w.writeCode(code)
}

func (w *Wizard) writeCode(code string) error {
	w.code = ClaimCode{Code: code, Address: w.address}
	if err := renameio.WriteFile(w.dir.claimFile(), []byte(code+"\n"+w.address+"\n"), 0o600); err != nil {
		return fmt.Errorf("write claim code: %w", err)
	}
	w.log.Info("Set this box up in a browser", "address", w.address+"/setup", "code", code)
	return nil
}

// ClaimCode is what somebody at the terminal needs for the first set-up.
type ClaimCode struct {
	Code    string // XXXXX-XXXXX
	Address string // of the pages, without a path
}

// Link opens the set-up with the code filled in. The code stands in the fragment,
// which browsers keep to themselves: no log and no proxy gets to see it.
func (c ClaimCode) Link() string { return c.Address + "/setup#code=" + c.Code }

// Code returns the present claim code.
func (w *Wizard) Code() ClaimCode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.code
}

// ErrNoClaim says that a data directory has no claim code.
var ErrNoClaim = errors.New("there is no claim code here: start dmpool serve with this data directory, and it makes one")

// ReadClaimCode returns the claim code of a data directory whose daemon waits for
// its set-up. It returns [ErrSetUp] when that is done.
func ReadClaimCode(ctx context.Context, dir string) (ClaimCode, error) {
	d := dataDir{dir}
	network, err := d.network()
	if err != nil {
		return ClaimCode{}, err
	}
	if done, err := d.isSetUp(ctx, network); err != nil || done {
		return ClaimCode{}, errors.Join(err, when(done, ErrSetUp))
	}
	return readClaim(d)
}

func readClaim(d dataDir) (ClaimCode, error) {
	text, err := os.ReadFile(d.claimFile())
	if errors.Is(err, os.ErrNotExist) {
		return ClaimCode{}, ErrNoClaim
	}
	if err != nil {
		return ClaimCode{}, fmt.Errorf("read claim code: %w", err)
	}
	code, address, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return ClaimCode{Code: code, Address: address}, nil
}

// Claim takes the set-up for a browser that knows the code, and returns the
// secret by which it is known from then on. One browser at a time holds it: the
// last that typed the code. The error is [ErrClaim], a [*ThrottledError] or one of
// the database.
func (w *Wizard) Claim(ctx context.Context, code, ip string) (secret string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.admit(ip, time.Now()); err != nil {
		return "", err
	}
	secret = rand.Text()
	right := false
	err = w.db.Update(ctx, func(tx *sql.Tx) error {
		var hash []byte
		var tries int
		if err := tx.QueryRowContext(ctx, `SELECT code_hash, tries FROM claim`).Scan(&hash, &tries); err != nil {
			return fmt.Errorf("read claim code: %w", err)
		}
		if right = subtle.ConstantTimeCompare(hash, codeHash(code)) == 1; right {
			_, err := tx.ExecContext(ctx, `UPDATE claim SET holder = ?`, holderHash(secret))
			return err
		}
		if tries+1 >= claimsPerCode {
			w.log.Warn("Too many wrong claim codes; there is a new one", "ip", ip)
			return w.setCode(ctx, tx, newCode())
		}
		_, err := tx.ExecContext(ctx, `UPDATE claim SET tries = tries + 1`)
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("claim the set-up: %w", err)
	case !right:
		return "", ErrClaim
	}
	w.log.Info("The set-up was claimed", "ip", ip)
	return secret, nil
}

// admit slows an address down. The caller holds mu.
func (w *Wizard) admit(ip string, now time.Time) error {
	shrink(w.tries, func(l *attempts) bool { return l.TokensAt(now) >= claimsPerMinute })
	limiter := w.tries[ip]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Every(time.Minute/claimsPerMinute), claimsPerMinute)
		w.tries[ip] = limiter
	}
	if !limiter.AllowN(now, 1) {
		return &ThrottledError{RetryAfter: time.Minute / claimsPerMinute}
	}
	return nil
}

// Holds tells whether a browser's secret is the one of the last claim.
func (w *Wizard) Holds(ctx context.Context, secret string) (bool, error) {
	var holder []byte
	err := w.db.Reader().QueryRowContext(ctx, `SELECT holder FROM claim`).Scan(&holder)
	if err != nil {
		return false, fmt.Errorf("read claim: %w", err)
	}
	return secret != "" && subtle.ConstantTimeCompare(holder, holderHash(secret)) == 1, nil
}
