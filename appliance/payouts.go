package appliance

import (
	"context"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
)

// payoutPolicy are the bounds that the payouts keep.
func (a *Appliance) payoutPolicy() payout.Policy {
	s := a.Settings()
	p := payout.Policy{
		MinPayout: s.MinPayoutSat, MaxItems: s.MaxPayoutItems, FeeRate: s.PayoutFeeRate,
		FeeCap: s.MaxFeeSat, FeeCapBps: int(s.MaxFeeBps), FeePolicy: payout.FeePolicy(s.PayoutFeePolicy),
		MaxPayout: s.MaxPayoutSat, Max24h: s.Max24hSat,
		SecondPersonAbove: s.SecondPersonAboveSat,
		AutoApproveBelow:  s.AutoApproveBelowSat, AutoApproveDaily: s.AutoApproveDailySat,
		NotNow: a.room().notNow(),
	}
	limit, script, err := a.coldInForce(context.Background())
	if err != nil { // nothing is swept then, and miners are paid as ever
		a.log.Warn("Cold address not read", "err", err)
		return p
	}
	p.Cold, p.ColdScript, p.WalletLimit = limit.Cold, script, limit.Sats
	return p
}

// tellPayout passes a payout's news on to the pages.
func (a *Appliance) tellPayout(e payout.Event) {
	event := pool.Event{Kind: "payout", At: time.Now(), State: string(e.State), Amount: e.Total, Text: e.Problem}
	if e.TxID != nil {
		event.Hash = e.TxID.String()
	}
	a.events.Publish(event)
}

// advancePayouts drives the payouts as far as they go, with the approvals that
// need nobody.
func (a *Appliance) advancePayouts(ctx context.Context) error {
	err := a.payouts.Advance(ctx)
	if err != nil {
		return err
	}
	approved, err := a.payouts.ApproveByRule(ctx)
	if err != nil || len(approved) == 0 {
		return err
	}
	return a.payouts.Advance(ctx)
}

// SetAccountRule decides how a miner is paid, see [ledger.Ledger.SetAccountRule],
// and writes the audit row with it.
func (a *Appliance) SetAccountRule(ctx context.Context, address string, minPayout *int64, hold bool, actor, ip string) error {
	least := "pool"
	if minPayout != nil {
		least = strconv.FormatInt(*minPayout, 10)
	}
	now := time.Now()
	return a.ledger.Update(ctx, func(tx *ledger.Tx) error {
		if err := tx.SetAccountRule(ctx, address, minPayout, hold, actor, now); err != nil {
			return err
		}
		return writeAudit(ctx, tx.Tx, AuditEntry{
			At: now, Actor: actor, Action: "account.rule", Object: address, Result: "ok", IP: ip,
			Detail: map[string]string{"min_payout_sat": least, "hold": strconv.FormatBool(hold)},
		})
	})
}
