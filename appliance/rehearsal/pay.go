package rehearsal

import (
	"context"
	"errors"
	"fmt"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
)

const (
	// elsewhere gets the rewards of the blocks that are not the pool's.
	elsewhere = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	// here is where the drill's operator sits.
	here = "127.0.0.1"
	// matures is how many blocks on top of it make a reward payable.
	matures = 100
)

func (r *run) mature(ctx context.Context) (string, error) {
	const piece = 20 // at a time, to leave the processor to others in between
	for made := 0; made < matures; made += piece {
		if err := r.generate(ctx, piece); err != nil {
			return "", err
		}
	}
	state := r.won.State
	err := r.box.await(ctx, "the books know that the reward is mature", func() (bool, error) {
		b, err := r.box.Ledger().Block(ctx, r.won.Hash)
		r.won, state = b, b.State
		return state == ledger.StateMature, err
	})
	if err != nil {
		return "", fmt.Errorf("%w: the block is %s", err, state)
	}
	return fmt.Sprintf("%d blocks from elsewhere came on top of block %d, and what it is worth can be paid out.", matures, r.won.Height), nil
}

// generate has the node make blocks that pay somebody else.
func (r *run) generate(ctx context.Context, blocks int) error {
	if err := r.box.NodeClient().Call(ctx, "generatetoaddress", nil, blocks, elsewhere); err != nil {
		return fmt.Errorf("make blocks from elsewhere: %w", err)
	}
	return nil
}

func (r *run) planPayout(ctx context.Context) (string, error) {
	if err := r.box.RunJob(ctx, "payout-draft", operator, here); err != nil {
		return "", err
	}
	var p payout.Payout
	said := ""
	err := r.box.await(ctx, "a payout is planned", func() (bool, error) {
		list, err := r.box.Payouts().List(ctx)
		if err != nil || len(list) == 0 {
			return false, err
		}
		p = list[len(list)-1] // the first: the newest is in front
		said = string(p.State) + " " + p.Problem
		return p.State == payout.Pending, nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, said)
	}
	r.payout = p.ID
	if due := r.won.Value - r.won.Fee; p.Total != due {
		return "", fmt.Errorf("the miners earned %d sat, and the payout is over %d sat", due, p.Total)
	}
	return fmt.Sprintf("Payout %d sends %d sat to %d miners, for a network fee of %d sat.", p.ID, p.Total, p.Recipients, p.Fee), nil
}

func (r *run) approve(ctx context.Context) (string, error) {
	who, _, err := r.box.Login(ctx, operator, r.password, here)
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	p, err := r.box.Payouts().Get(ctx, r.payout)
	if err != nil {
		return "", err
	}
	approval := payout.Approval{ID: p.ID, Rev: p.Rev, Digest: p.Digest, User: who.Name, Method: "password", IP: here}
	if err := r.box.Reauthenticate(ctx, who.ID, "not the password", here); !errors.Is(err, appliance.ErrLogin) {
		return "", fmt.Errorf("a wrong password was not refused: %w", err)
	}
	if err := r.box.Reauthenticate(ctx, who.ID, r.password, here); err != nil {
		return "", fmt.Errorf("check the password: %w", err)
	}
	if err := r.box.MaySend(ctx, who.ID); err != nil {
		return "", err
	}
	if err := r.box.Payouts().Approve(ctx, approval); err != nil {
		return "", err
	}
	return "An operator signed in, gave the password once more, and approved exactly this plan. A wrong password was refused.", nil
}

func (r *run) broadcast(ctx context.Context) (string, error) {
	p, err := r.awaitPayout(ctx, "the payout is on its way", payout.Broadcast)
	if err != nil {
		return "", err
	}
	waits, err := r.box.NodeClient().InMempool(ctx, *p.TxID)
	if err == nil && !waits {
		err = errors.New("the node does not have the transaction")
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("The wallet signed it, and transaction %s waits for a block.", p.TxID), nil
}

// awaitPayout waits until the payout is in a state.
func (r *run) awaitPayout(ctx context.Context, what string, state payout.State) (p payout.Payout, err error) {
	err = r.box.await(ctx, what, func() (bool, error) {
		p, err = r.box.Payouts().Get(ctx, r.payout)
		return p.State == state, err
	})
	if err != nil {
		return p, fmt.Errorf("%w: it is %s. %s", err, p.State, p.Problem)
	}
	return p, nil
}

func (r *run) confirm(ctx context.Context) (string, error) {
	if err := r.generate(ctx, payout.DefaultConfirmationsToSettle); err != nil {
		return "", err
	}
	p, err := r.awaitPayout(ctx, "the payout is settled", payout.Settled)
	if err != nil {
		return "", err
	}
	got, err := r.purse.Balances(ctx)
	if err != nil {
		return "", fmt.Errorf("look into the miners' wallet: %w", err)
	}
	if int64(got.Trusted) != p.Total {
		return "", fmt.Errorf("the payout sent %d sat, and the miners have %d sat", p.Total, int64(got.Trusted))
	}
	if err := r.box.agrees(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("It is %d blocks deep. The miners' own wallet has all of its %d sat, and books and wallet agree to the satoshi.", payout.DefaultConfirmationsToSettle, p.Total), nil
}

// agrees compares the books with themselves and with the wallet.
func (b *box) agrees(ctx context.Context) error {
	if err := b.Ledger().Check(ctx); err != nil {
		return err
	}
	var sums ledger.Sums
	var wallet appliance.WalletStatus
	err := b.await(ctx, "books and wallet agree", func() (yes bool, err error) {
		if sums, err = b.Ledger().Sums(ctx); err != nil {
			return false, err
		}
		wallet = b.Wallet(ctx)
		return wallet.Known && sums.Immature == wallet.Immature && sums.Spendable == wallet.Trusted, nil
	})
	if err != nil {
		return fmt.Errorf("%w: the books have %d and %d sat, the wallet %d and %d sat (spendable and immature)", err, sums.Spendable, sums.Immature, wallet.Trusted, wallet.Immature)
	}
	return nil
}
