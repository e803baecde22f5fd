package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/sqlite"
	"github.com/dmpool/dmpool/pool/stratum"
)

// Banned is who a ban is about: an account, one of its workers, or a network.
type Banned struct {
	Address string // canonical payout address; empty for a network
	Worker  string // of that address; empty: all of them
	Network string // an IP address or a prefix; empty for an address
}

// Ban says who may not mine here, and why. It is never about money: what was
// credited, or is in the window already, stays.
type Ban struct {
	Banned
	Reason string // for the operators
	Actor  string // who gave the order
	At     time.Time
}

// MinerError says in a sentence why a miner cannot be banned, named or linked to.
type MinerError struct{ Err error }

// Error implements error.
func (e *MinerError) Error() string { return e.Err.Error() }

// Unwrap returns the sentence.
func (e *MinerError) Unwrap() error { return e.Err }

// ErrNoBan is the answer to the lifting of a ban that there is not.
var ErrNoBan = errors.New("there is no such ban")

// maxReason bounds what is written about a ban, in characters.
const maxReason = 200

// Bans returns the bans in force, the newest first.
func (a *Appliance) Bans(ctx context.Context) ([]Ban, error) {
	rows, err := a.db.Reader().QueryContext(ctx, `
		SELECT address, worker, network, reason, actor, at FROM ban ORDER BY at DESC, address, worker, network`)
	if err != nil {
		return nil, fmt.Errorf("read bans: %w", err)
	}
	bans, err := sqlite.Collect(rows, func(r *sql.Rows) (Ban, error) {
		var b Ban
		var at int64
		err := r.Scan(&b.Address, &b.Worker, &b.Network, &b.Reason, &b.Actor, &at)
		b.At = time.UnixMilli(at)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("read bans: %w", err)
	}
	return bans, nil
}

// Ban keeps somebody from mining here until [Appliance.LiftBan], and ends their
// sessions. Whoever is banned already is banned with the new reason. The error is
// a [*MinerError] or one of the database.
func (a *Appliance) Ban(ctx context.Context, b Ban, ip string) error {
	who, err := a.canonical(b.Banned)
	if err != nil {
		return err
	}
	reason, err := line(b.Reason, maxReason)
	if err != nil || reason == "" {
		return &MinerError{fmt.Errorf("a ban needs a reason of at most %d characters in one line", maxReason)}
	}
	err = a.changeMiner(ctx, AuditEntry{Actor: b.Actor, Action: "miner.ban", Object: who.String(), IP: ip, Detail: map[string]string{"reason": reason}},
		func(tx *sql.Tx, now time.Time) error {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO ban (address, worker, network, reason, actor, at) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET reason = excluded.reason, actor = excluded.actor, at = excluded.at`,
				who.Address, who.Worker, who.Network, reason, b.Actor, now.UnixMilli())
			return err
		})
	if err != nil {
		return fmt.Errorf("ban miner: %w", err)
	}
	return a.enforceBans(context.WithoutCancel(ctx))
}

// LiftBan ends a ban; [ErrNoBan] when there is none.
func (a *Appliance) LiftBan(ctx context.Context, who Banned, actor, ip string) error {
	who, err := a.canonical(who)
	if err != nil {
		return err
	}
	err = a.changeMiner(ctx, AuditEntry{Actor: actor, Action: "miner.unban", Object: who.String(), IP: ip},
		func(tx *sql.Tx, _ time.Time) error {
			result, err := tx.ExecContext(ctx, `DELETE FROM ban WHERE address = ? AND worker = ? AND network = ?`, who.Address, who.Worker, who.Network)
			return orNone(result, err, ErrNoBan)
		})
	if err != nil {
		return fmt.Errorf("lift ban: %w", err)
	}
	return a.enforceBans(context.WithoutCancel(ctx))
}

// orNone is the error of a statement, or none when it has changed no row.
func orNone(result sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return none
}

// changeMiner makes a change together with its audit row, and tells the pages.
func (a *Appliance) changeMiner(ctx context.Context, e AuditEntry, change func(tx *sql.Tx, now time.Time) error) error {
	e.At, e.Result = time.Now(), "ok"
	err := a.db.Update(ctx, func(tx *sql.Tx) error {
		if err := change(tx, e.At); err != nil {
			return err
		}
		return writeAudit(ctx, tx, e)
	})
	if err == nil {
		a.events.Publish(pool.Event{Kind: "worker", At: e.At, State: e.Action})
	}
	return err
}

// enforceBans tells the running pool who is banned.
func (a *Appliance) enforceBans(ctx context.Context) error {
	p := a.pool.Load()
	if p == nil {
		return nil // it is told when it starts
	}
	bans, err := a.Bans(ctx)
	if err != nil {
		return err
	}
	list := make([]stratum.Ban, 0, len(bans))
	for _, b := range bans {
		one := stratum.Ban{Address: b.Address, Worker: b.Worker}
		if b.Network != "" {
			if one.Network, err = netip.ParsePrefix(b.Network); err != nil {
				return fmt.Errorf("read ban of a network: %w", err)
			}
		}
		list = append(list, one)
	}
	p.Enforce(list)
	return nil
}

// Networks that are wider than this cannot be banned: it would be a slip.
const widest4, widest6 = 16, 32

// canonical checks who is meant and writes it as it is stored.
func (a *Appliance) canonical(b Banned) (Banned, error) {
	if (b.Address == "") == (b.Network == "") || b.Worker != "" && b.Address == "" {
		return b, &MinerError{errors.New("a ban is about an address, a worker of an address, or a network")}
	}
	if b.Address != "" {
		address, _, err := pool.ParseAddress(b.Address, a.network)
		if err != nil {
			return b, &MinerError{err}
		}
		return Banned{Address: address, Worker: b.Worker}, nil
	}
	prefix, err := netip.ParsePrefix(b.Network)
	if err != nil {
		ip, err := netip.ParseAddr(b.Network)
		if err != nil || ip.Zone() != "" {
			return b, &MinerError{errors.New("a network is an IP address such as 192.168.1.7, or a prefix such as 192.168.1.0/24")}
		}
		ip = ip.Unmap()
		prefix = netip.PrefixFrom(ip, ip.BitLen())
	}
	if prefix.Addr().Is4() && prefix.Bits() < widest4 || prefix.Addr().Is6() && prefix.Bits() < widest6 {
		return b, &MinerError{fmt.Errorf("a network has at least /%d, or /%d of IPv6", widest4, widest6)}
	}
	return Banned{Network: prefix.Masked().String()}, nil
}

// String names who is meant in the audit log.
func (b Banned) String() string {
	switch {
	case b.Network != "":
		return b.Network
	case b.Worker != "":
		return b.Address + "." + b.Worker
	}
	return b.Address
}

// line returns text without blanks around it, if it is one line of at most limit
// characters that can be seen.
func line(text string, limit int) (string, error) {
	text = strings.TrimSpace(text)
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > limit || strings.ContainsFunc(text, unseen) {
		return "", fmt.Errorf("text is not one line of at most %d characters", limit)
	}
	return text, nil
}

// unseen reports whether a character only changes how others look: controls, and
// the marks that turn the direction of a line.
func unseen(r rune) bool { return !unicode.IsPrint(r) }
