package webui

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
)

// How many events are read at a time. Those of the whole book may have as many
// postings as there are miners.
const (
	eventsOfAccount = 500
	eventsOfPool    = 10
)

// Postings returns the next lines of a statement, after an event: of an address,
// or of the whole book when address is empty.
func (m *machine) Postings(ctx context.Context, address string, after int64) ([]postingLine, error) {
	account, events := int64(0), eventsOfPool
	if address != "" {
		a, ok, err := m.box.Ledger().Account(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("read account: %w", err)
		}
		if !ok {
			return nil, notFound()
		}
		account, events = a.ID, eventsOfAccount
	}
	lines, err := m.box.Ledger().Lines(ctx, account, after, events)
	if err != nil {
		return nil, fmt.Errorf("read postings: %w", err)
	}
	payouts := map[int64]payout.Payout{}
	out := make([]postingLine, len(lines))
	for i, l := range lines {
		out[i] = postingLineOf(l)
		if err := m.fillPayout(ctx, &out[i], l, payouts); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func postingLineOf(l ledger.Line) postingLine {
	p := postingLine{At: l.At, Event: l.ID, Account: l.Account, Address: l.Address, Kind: l.Kind, Bucket: l.Bucket, Amount: l.Amount, Actor: l.Actor}
	if b := l.Block; b != nil {
		p.Block = &postingBlock{Hash: b.Hash.String(), Height: b.Height, Value: b.Value, Fee: b.Fee, Donation: b.Donation}
	}
	return p
}

// fillPayout says which transaction and output a settled amount went to. That of
// a payout is in the key of the event, pay:<id>:settle:<txid>, because it may have
// had several; a block settles with its coinbase what this pays itself. What had
// paid a miner whose account was corrected by hand stands with the correction.
func (m *machine) fillPayout(ctx context.Context, p *postingLine, l ledger.Line, payouts map[int64]payout.Payout) error {
	settles := l.Kind == ledger.KindSettle || l.Kind == ledger.KindUnsettle
	if l.Block != nil && settles {
		p.TxID = l.Block.Coinbase.String()
	}
	desk := m.box.Payouts()
	if l.Kind == ledger.KindAdjust && desk != nil {
		said, err := desk.Corrections(ctx)
		if err != nil {
			return fmt.Errorf("read corrections: %w", err)
		}
		p.TxID = adjustedBy(said, l.Ref)
	}
	text, ok := strings.CutPrefix(l.Ref, "pay:")
	if !ok {
		return nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("read payout of event %d: %w", l.ID, err)
	}
	p.Payout = id
	parts := strings.Split(l.Key, ":")
	if !settles || len(parts) < 4 {
		return nil
	}
	p.TxID = parts[3]

	if desk == nil || p.Bucket == "" && l.Account != ledger.PoolSweep {
		return nil
	}
	one, ok := payouts[id]
	if !ok {
		if one, err = desk.Get(ctx, id); err != nil && !errors.Is(err, payout.ErrNotFound) {
			return fmt.Errorf("read payout: %w", err)
		}
		payouts[id] = one
	}
	for _, item := range one.Items {
		if item.Account != l.Account {
			continue
		}
		p.FeeShare = &item.FeeShare
		if vout, ok := one.Vout(item); ok && one.TxID.String() == p.TxID {
			p.Vout = &vout
		}
	}
	return nil
}
