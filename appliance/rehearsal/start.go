package rehearsal

import (
	"context"
	"fmt"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// minersWallet is the miners' own. Its coins are worth nothing, and so is its passphrase.
const minersWallet = "drill-miners"

func (r *run) startNode(ctx context.Context) (string, error) {
	var err error
	if r.program, err = bitcoind.Version(ctx, r.config.Bitcoind); err != nil {
		return "", err
	}
	if err := appliance.SetUp(ctx, r.folder("box"), r.answers()); err != nil {
		return "", err
	}
	if r.box, err = openBox(ctx, r.folder("box"), r.config.Bitcoind, r.book); err != nil {
		return "", err
	}
	if err := r.box.awaitNode(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s runs on a private chain, with nobody else on it.", r.program), nil
}

// awaitNode waits until the node answers.
func (b *box) awaitNode(ctx context.Context) error {
	said := "the node was not started yet"
	err := b.await(ctx, "the node is ready", func() (bool, error) {
		if b.NodeClient() == nil {
			return false, nil
		}
		n := b.Node(ctx)
		said = n.Text
		return n.Phase == "ready", nil
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

func (r *run) openWallet(ctx context.Context) (string, error) {
	if err := r.box.awaitWork(ctx); err != nil {
		return "", err
	}
	r.purse = r.box.NodeClient().ForWallet(minersWallet)
	if err := r.purse.CreateWallet(ctx, minersWallet, "worthless"); err != nil {
		return "", fmt.Errorf("make the miners' wallet: %w", err)
	}
	for i := range r.addresses {
		address, err := r.purse.NewAddress(ctx, "miner")
		if err != nil {
			return "", fmt.Errorf("make a miner's address: %w", err)
		}
		r.addresses[i] = address
	}
	return fmt.Sprintf("The wallet %s is there, encrypted, and blocks are going to pay it.", r.box.Wallet(ctx).Name), nil
}

// awaitWork waits until the wallet is open and the pool has work for miners.
func (b *box) awaitWork(ctx context.Context) error {
	said := ""
	err := b.await(ctx, "the wallet is open and there is work for miners", func() (bool, error) {
		w, s := b.Wallet(ctx), b.Pool().Status()
		if said = w.Problem; said == "" {
			said = s.Reason
		}
		return w.Known && s.Serving, nil
	})
	if err != nil && said != "" {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// awaitTip waits until miners get work on the newest block: on an older one they would
// find a block that comes too late.
func (b *box) awaitTip(ctx context.Context) error {
	return b.await(ctx, "there is work on the newest block", func() (bool, error) {
		chain, err := b.NodeClient().BlockchainInfo(ctx)
		s := b.Pool().Status()
		return s.Serving && s.Tip == chain.BestBlockHash, err
	})
}
