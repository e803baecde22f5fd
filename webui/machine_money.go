package webui

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/dmpool/dmpool/pool/payout"
)

// desk returns the payout desk, or a problem while the pool starts.
func (m *machine) desk() (*payout.Desk, error) {
	if d := m.box.Payouts(); d != nil {
		return d, nil
	}
	return nil, absent("The pool is starting.")
}

func (m *machine) Money(ctx context.Context) (moneyView, error) {
	sums, err := m.box.Ledger().Sums(ctx)
	if err != nil {
		return moneyView{}, fmt.Errorf("add up the ledger: %w", err)
	}
	v := moneyView{Owed: &sums.Payable, Pending: &sums.Pending, Reserved: &sums.Reserved}
	w := m.walletStatus(ctx)
	v.Locked, v.Problem = w.NeedsKey, w.Problem
	if w.Known {
		v.Trusted, v.Immature = &w.Trusted, &w.Immature
	}
	if d := m.box.Payouts(); d != nil {
		if reason, frozen := d.Frozen(ctx); frozen {
			v.Frozen = reason
		}
	}
	return v, nil
}

func (m *machine) Owed(ctx context.Context) ([]owedLine, error) {
	desk, err := m.desk()
	if err != nil {
		return nil, nil
	}
	due, err := desk.Owed(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what is due: %w", err)
	}
	reasons := map[int64]string{}
	for _, d := range due {
		reasons[d.Account] = d.Reason
	}
	balances, err := m.box.Ledger().Balances(ctx)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	var lines []owedLine
	for _, b := range balances {
		reason, listed := reasons[b.ID]
		lines = append(lines, owedLine{
			Address: b.Address, Payable: b.Payable, Pending: b.Pending, Reserved: b.Reserved, Paid: b.Paid,
			Due: listed && reason == "" && b.Payable > 0, Reason: reason, MinPayout: b.MinPayout, Hold: b.Hold,
		})
	}
	return lines, nil
}

func (m *machine) Payouts(ctx context.Context) ([]payoutLine, error) {
	desk, err := m.desk()
	if err != nil {
		return nil, nil
	}
	all, err := desk.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("read payouts: %w", err)
	}
	var lines []payoutLine
	for _, p := range all {
		lines = append(lines, payoutLineOf(p))
	}
	return lines, nil
}

func payoutLineOf(p payout.Payout) payoutLine {
	line := payoutLine{
		ID: p.ID, Rev: p.Rev, State: string(p.State), Purpose: string(p.Purpose), Total: p.Total, Miners: p.Recipients, CreatedAt: p.CreatedAt, CreatedBy: p.CreatedBy,
		ExpiresAt: p.ExpiresAt, UpdatedAt: p.UpdatedAt, Waits: p.Waits, Problem: p.Problem,
		Confirmations: p.Confirmations, Settles: payout.DefaultConfirmationsToSettle,
	}
	if p.TxID != nil { // before there is a transaction, there is no fee either
		line.TxID, line.Fee = p.TxID.String(), &p.Fee
	}
	return line
}

func (m *machine) Payout(ctx context.Context, id int64) (payoutView, error) {
	desk, err := m.desk()
	if err != nil {
		return payoutView{}, err
	}
	p, err := desk.Get(ctx, id)
	if err != nil {
		return payoutView{}, asProblem(err)
	}
	v := payoutView{payoutLine: payoutLineOf(p), Digest: hex.EncodeToString(p.Digest), FeeCap: p.FeeCap, Change: p.Change}
	if v.Items, err = itemsOf(ctx, desk, p); err != nil {
		return payoutView{}, err
	}
	for _, in := range p.Inputs {
		v.Inputs = append(v.Inputs, inputLine{TxID: in.OutPoint.Hash.String(), Vout: in.OutPoint.Index, Amount: in.Amount})
	}
	for _, a := range p.Approvals {
		v.Approvals = append(v.Approvals, approvalLine{User: a.User, Method: a.Method, IP: a.IP, At: a.At, Present: bytes.Equal(a.Digest, p.Digest)})
	}
	v.VSize, v.Estimated = p.EstimatedVSize(), p.VSize == 0
	v.Can = payoutCan{
		Approve: p.Can.Approve, Cancel: p.Can.Cancel, Bump: p.Can.Bump,
		CancelSent: p.Can.CancelSent, Sponsor: p.Can.Sponsor, GiveUpDead: p.Can.GiveUpDead,
		Export: p.Can.Export, Import: p.Can.Import,
	}
	for _, a := range append(slices.Clone(p.Attempts), p.Sponsors...) {
		if a.Kind == payout.KindBump && a.VSize == 0 {
			a.VSize = v.VSize // the same inputs and outputs
		}
		v.Attempts = append(v.Attempts, attemptLine{
			Kind: string(a.Kind), Fate: string(a.Fate), TxID: a.TxID.String(), Fee: a.Fee, VSize: a.VSize, FirstSeen: a.FirstSeen, Refusal: a.Refusal,
		})
	}
	v.MinersBearFee = p.FeePolicy == payout.FeeMiners
	if above := m.box.Settings().SecondPersonAboveSat; above > 0 && p.Total > above {
		v.TwoPeople = true
	}
	if w := m.walletStatus(ctx); w.Known {
		v.WalletSats = &w.Trusted
	}
	return v, nil
}

// itemsOf are the items of a payout with what explains them.
func itemsOf(ctx context.Context, desk *payout.Desk, p payout.Payout) ([]itemLine, error) {
	origins, err := desk.Origins(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("explain payout: %w", err)
	}
	amounts := map[int64]int64{}
	for _, i := range p.Items {
		amounts[i.Account] = i.Amount
	}
	earned := explain(origins, amounts)
	var lines []itemLine
	for _, i := range p.Items {
		lines = append(lines, itemLine{Address: i.Address, Amount: i.Amount, FeeShare: i.FeeShare, Earned: earned[i.Account]})
	}
	return lines, nil
}

func (m *machine) DraftPayout(ctx context.Context, op operator, key, ip string) (int64, error) {
	desk, err := m.desk()
	if err != nil {
		return 0, err
	}
	p, err := desk.Draft(ctx, payout.DraftRequest{Actor: op.Name, IP: ip, IdemKey: requestKey(op, key)})
	m.inVain(ctx, op, "payout.draft", payoutRef(p.ID), ip, err)
	return p.ID, asProblem(err)
}

// requestKey names a request by who made it and the key that they made up: two
// operators with the same key mean two requests.
func requestKey(op operator, key string) string { return fmt.Sprintf("web:%d:%s", op.ID, key) }

func (m *machine) ApprovePayout(ctx context.Context, a approval) error {
	desk, err := m.desk()
	if err != nil {
		return err
	}
	err = m.box.MaySend(ctx, a.Operator.ID)
	if err == nil {
		err = desk.Approve(ctx, payout.Approval{
			ID: a.ID, Rev: a.Rev, Digest: a.Digest, User: a.Operator.Name, Method: a.Method, IP: a.IP,
		})
	}
	m.inVain(ctx, a.Operator, "payout.approve", payoutRef(a.ID), a.IP, err)
	return asProblem(err)
}

func (m *machine) CancelPayout(ctx context.Context, id, rev int64, op operator, ip string) error {
	desk, err := m.desk()
	if err != nil {
		return err
	}
	err = desk.Cancel(ctx, payout.Change{ID: id, Rev: rev, Actor: op.Name, IP: ip})
	m.inVain(ctx, op, "payout.cancel", payoutRef(id), ip, err)
	return asProblem(err)
}

func (m *machine) ChangePayout(ctx context.Context, c payoutChange) error {
	desk, err := m.desk()
	if err != nil {
		return err
	}
	if c.Action != actionGiveUp { // which signs nothing
		err = m.box.MaySend(ctx, c.Operator.ID)
	}
	if err == nil {
		err = act(ctx, desk, c)
	}
	m.inVain(ctx, c.Operator, "payout."+c.Action, payoutRef(c.ID), c.IP, err)
	return asProblem(err)
}

func act(ctx context.Context, desk *payout.Desk, c payoutChange) (err error) {
	change := payout.Change{ID: c.ID, Rev: c.Rev, FeeRate: c.FeeRate, Actor: c.Operator.Name, IP: c.IP}
	switch c.Action {
	case actionExport:
		_, err = desk.Export(ctx, change)
	case actionBump:
		err = desk.Bump(ctx, change)
	case actionSponsor:
		err = desk.Sponsor(ctx, change)
	case actionTakeBack:
		err = desk.CancelSent(ctx, change)
	case actionGiveUp:
		err = desk.GiveUpDead(ctx, change)
	default:
		err = fmt.Errorf("change payout: there is no action %q", c.Action)
	}
	return err
}

// Exported returns what was handed out already; asking again changes nothing.
func (m *machine) Exported(ctx context.Context, id, rev int64) (string, error) {
	desk, err := m.desk()
	if err != nil {
		return "", err
	}
	text, err := desk.Exported(ctx, id, rev)
	return text, asProblem(err)
}

func (m *machine) ImportPayout(ctx context.Context, f signedFile) error {
	desk, err := m.desk()
	if err != nil {
		return err
	}
	err = m.box.MaySend(ctx, f.Operator.ID)
	if err == nil {
		err = desk.Import(ctx, payout.Change{ID: f.ID, Rev: f.Rev, Actor: f.Operator.Name, IP: f.IP}, f.PSBT)
	}
	m.inVain(ctx, f.Operator, "payout.import", payoutRef(f.ID), f.IP, err)
	return asProblem(err)
}

func (m *machine) SetAccountRule(ctx context.Context, r accountRule) error {
	var least *int64
	if r.MinPayout > 0 {
		least = &r.MinPayout
	}
	return asProblem(m.box.SetAccountRule(ctx, r.Address, least, r.Hold, r.Operator.Name, r.IP))
}

func (m *machine) UnlockWallet(ctx context.Context, passphrase string, op operator, ip string) error {
	if _, err := m.desk(); err != nil {
		return err
	}
	defer m.wallet.forget()
	return asProblem(m.box.UnlockWallet(ctx, passphrase, op.Name, ip))
}

// payoutRef is how the ledger and the audit log name a payout.
func payoutRef(id int64) string {
	if id == 0 {
		return ""
	}
	return "pay:" + strconv.FormatInt(id, 10)
}
