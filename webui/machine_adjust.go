package webui

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/payout"
)

// Adjustable says what can be put right by hand on an account.
func (m *machine) Adjustable(ctx context.Context, address string) (adjustView, error) {
	desk, err := m.desk()
	if err != nil {
		return adjustView{}, err
	}
	var v adjustView
	can, err := desk.Adjustable(ctx, address)
	if sentence, ok := payout.Sentence(err); ok {
		v.Problem, err = sentence, nil
	}
	if err != nil {
		return v, asProblem(err)
	}
	v.Debt, v.Wait = can.Debt, can.Wait
	for _, p := range can.Paid {
		v.Outside = append(v.Outside, outsideLine{TxID: p.TxID.String(), Amount: p.Amount, Now: p.Now})
	}
	said, err := desk.Corrections(ctx)
	if err != nil {
		return v, fmt.Errorf("read corrections: %w", err)
	}
	for _, c := range said {
		if c.Address == address {
			v.Said = append(v.Said, correctLineOf(c))
		}
	}
	return v, nil
}

func correctLineOf(c payout.Correction) correctLine {
	return correctLine{At: c.At, User: c.User, Amount: c.Amount, Reason: c.Reason, Address: c.Address}
}

func (m *machine) AdjustAccount(ctx context.Context, a adjustment) (decided bool, err error) {
	if _, err := m.desk(); err != nil {
		return false, err
	}
	ask := payout.Adjust{Address: a.Address, Amount: a.Amount, Reason: a.Reason, Actor: a.Operator.Name, IP: a.IP}
	if a.TxID != "" {
		if ask.TxID, err = chainhash.NewHashFromStr(a.TxID); err != nil {
			return false, notFound()
		}
	}
	err = m.box.AdjustAccount(ctx, ask)
	if errors.Is(err, payout.ErrSecondPerson) {
		return false, nil
	}
	return err == nil, asProblem(err)
}

// adjustedBy is the transaction that a correction of an account is about, empty
// when there is none.
func adjustedBy(said []payout.Correction, ref string) string {
	for _, c := range said {
		if c.TxID != nil && ref == "adj:"+c.What {
			return c.TxID.String()
		}
	}
	return ""
}
