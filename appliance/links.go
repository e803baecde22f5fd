package appliance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// ObserverLink leads to an observer page without telling its address.
type ObserverLink struct {
	ID      string // first digits of the hash of its token
	Address string
	Actor   string // who made it
	At      time.Time
}

// ErrNoLink is the answer to a link that there is not, or not any more.
var ErrNoLink = errors.New("there is no such link")

// linkID is how much of a hash stands for a link, in bytes; maxLinks bounds the
// links to one page.
const linkID, maxLinks = 6, 10

// ObserverLinks returns the links to the page of an address, the newest first.
func (a *Appliance) ObserverLinks(ctx context.Context, address string) ([]ObserverLink, error) {
	rows, err := a.db.Reader().QueryContext(ctx, `
		SELECT token_hash, address, actor, at FROM observer_link WHERE address = ? ORDER BY at DESC, token_hash`, address)
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	links, err := sqlite.Collect(rows, func(r *sql.Rows) (ObserverLink, error) {
		var l ObserverLink
		var hash []byte
		var at int64
		err := r.Scan(&hash, &l.Address, &l.Actor, &at)
		l.ID, l.At = hex.EncodeToString(hash[:min(linkID, len(hash))]), time.UnixMilli(at)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	return links, nil
}

// LinkObserver makes a link to the page of an address and returns its token, of
// which only the hash is kept.
func (a *Appliance) LinkObserver(ctx context.Context, address, actor, ip string) (token string, err error) {
	address, _, err = pool.ParseAddress(address, a.network)
	if err != nil {
		return "", &MinerError{err}
	}
	token = rand.Text()
	hash := sha256.Sum256([]byte(token))
	err = a.changeMiner(ctx, AuditEntry{
		Actor: actor, Action: "observer.link", Object: address, IP: ip, Detail: map[string]string{"link": hex.EncodeToString(hash[:linkID])},
	}, func(tx *sql.Tx, now time.Time) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM observer_link WHERE address = ?`, address).Scan(&n); err != nil {
			return err
		}
		if n >= maxLinks {
			return &MinerError{fmt.Errorf("there are %d links to this page already; take one back first", n)}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO observer_link (token_hash, address, actor, at) VALUES (?, ?, ?, ?)`, hash[:], address, actor, now.UnixMilli())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make link: %w", err)
	}
	return token, nil
}

// UnlinkObserver takes a link back; [ErrNoLink] when there is none.
func (a *Appliance) UnlinkObserver(ctx context.Context, address, id, actor, ip string) error {
	err := a.changeMiner(ctx, AuditEntry{Actor: actor, Action: "observer.unlink", Object: address, IP: ip, Detail: map[string]string{"link": id}},
		func(tx *sql.Tx, _ time.Time) error {
			result, err := tx.ExecContext(ctx, `
				DELETE FROM observer_link WHERE address = ? AND lower(hex(substr(token_hash, 1, ?))) = ?`, address, linkID, id)
			return orNone(result, err, ErrNoLink)
		})
	if err != nil {
		return fmt.Errorf("take link back: %w", err)
	}
	return nil
}

// ObserverOf returns the address that a link leads to.
func (a *Appliance) ObserverOf(ctx context.Context, token string) (address string, err error) {
	hash := sha256.Sum256([]byte(token))
	err = a.db.Reader().QueryRowContext(ctx, `SELECT address FROM observer_link WHERE token_hash = ?`, hash[:]).Scan(&address)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNoLink
	}
	if err != nil {
		return "", fmt.Errorf("follow link: %w", err)
	}
	return address, nil
}
