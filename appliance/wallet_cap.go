package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/payout"
)

// walletCap is how much the wallet may hold, and where the rest belongs. The keys
// of the cold address are not on this box.
type walletCap struct {
	Sats     int64  `json:"sats"` // 0: no limit
	Cold     string `json:"cold"`
	NextCold string `json:"next_cold"` // takes the place of Cold
	NextAt   int64  `json:"next_at"`   // Unix ms
	Draft    bool   `json:"draft"`     // what is the pool's own beyond Sats is drafted by itself
}

// coldDelay passes before another cold address is in force: whoever has stolen a
// password for an hour cannot turn the pool's savings to themselves, and whoever
// looks at the page in time can turn it back.
const coldDelay = 24 * time.Hour

// WalletLimit is the limit of what the wallet holds, as it is now.
type WalletLimit struct {
	Sats     int64 // 0: no limit
	Over     int64 // what the wallet has beyond it
	Cold     string
	NextCold string // takes its place at NextAt
	NextAt   time.Time
	Draft    bool             // a sweep is drafted by itself; a person approves it
	Own      payout.Sweepable // what may be moved to Cold now
	Advice   string           // what to do when it holds too much
}

// at returns the limit as it is at a moment.
func (c walletCap) at(now time.Time) WalletLimit {
	if c.NextAt != 0 && !now.Before(orZero(c.NextAt)) {
		return WalletLimit{Sats: c.Sats, Cold: c.NextCold, Draft: c.Draft}
	}
	return WalletLimit{Sats: c.Sats, Cold: c.Cold, NextCold: c.NextCold, NextAt: orZero(c.NextAt), Draft: c.Draft}
}

// changed returns the limit after a change: of the amount at once, of an address
// that is in force after the delay.
func (c walletCap) changed(sats int64, cold string, now time.Time) walletCap {
	in := c.at(now)
	next := walletCap{Sats: sats, Cold: in.Cold}
	switch {
	case in.Cold == "":
		next.Cold = cold
	case cold == in.NextCold && !in.NextAt.IsZero():
		next.NextCold, next.NextAt = in.NextCold, in.NextAt.UnixMilli() // the same again: it does not wait longer
	case cold != in.Cold:
		next.NextCold, next.NextAt = cold, now.Add(coldDelay).UnixMilli()
	}
	return next
}

func (l *WalletLimit) weigh(spendable int64) {
	if l.Sats > 0 {
		l.Over = max(0, spendable-l.Sats)
	}
}

// LimitChange asks for another limit.
type LimitChange struct {
	Sats      int64  // 0: no limit
	Cold      string // empty: none
	Draft     bool   // a sweep of what is beyond the limit by itself
	Actor, IP string
}

// SetWalletLimit decides how much the wallet may hold and which address is told for
// what is beyond. A first address is in force at once, another one after a day; the
// one that is in force calls a change off. The refusals are [*WalletError].
func (a *Appliance) SetWalletLimit(ctx context.Context, c LimitChange) error {
	if c.Sats < 0 {
		return refuse("The limit is an amount of satoshis, or 0 for none.")
	}
	cold := strings.TrimSpace(c.Cold)
	if cold != "" {
		canonical, _, err := pool.ParseAddress(cold, a.network)
		if err != nil {
			return refuse("The cold address is not one of this network: %v.", err)
		}
		cold = canonical
		if info, err := a.node.AddressInfo(ctx, cold); err == nil && info.Mine {
			return refuse("The cold address belongs to the pool’s own wallet. Give one whose keys are on another device.")
		}
	}
	now := time.Now()
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		var old walletCap
		if _, err := a.readSetting(ctx, settingCap, &old); err != nil {
			return err
		}
		next := old.changed(c.Sats, cold, now)
		next.Draft = c.Draft
		if err := writeSetting(ctx, tx, settingCap, next, now); err != nil {
			return err
		}
		return writeAudit(ctx, tx, AuditEntry{
			At: now, Actor: c.Actor, Action: "wallet.limit", Result: "ok", IP: c.IP,
			Detail: map[string]string{"sats": strconv.FormatInt(c.Sats, 10), "cold": cold, "draft": strconv.FormatBool(c.Draft)},
		})
	})
}

// coldInForce reads the limit as it is now, with the script of its cold address.
func (a *Appliance) coldInForce(ctx context.Context) (l WalletLimit, script []byte, err error) {
	var c walletCap
	if _, err := a.readSetting(ctx, settingCap, &c); err != nil {
		return l, nil, err
	}
	if l = c.at(time.Now()); l.Cold != "" {
		_, script, err = pool.ParseAddress(l.Cold, a.network)
	}
	return l, script, err
}

// weighOwn says what of the wallet can be moved to the cold address, and what to do
// about one that holds too much. What it holds is mostly the miners', and that
// leaves by payouts alone.
func (a *Appliance) weighOwn(ctx context.Context, l *WalletLimit) {
	own, err := a.payouts.Sweepable(ctx)
	if err != nil {
		a.log.Warn("What is the pool's own is not known", "err", err)
	}
	l.Own = own
	if l.Over == 0 {
		return
	}
	l.Advice = "Approve the payouts that wait, or let amounts be paid sooner."
	switch {
	case l.Own.Over > 0:
		l.Advice += fmt.Sprintf(" Of what is beyond the limit, %d sat are the pool’s own and can go to the cold address.", l.Own.Over)
	case l.Cold != "":
		l.Advice += " Nothing of it is the pool’s own and worth moving to the cold address now."
	}
}
