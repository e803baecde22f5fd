//go:build image

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// books are copies of a box's databases.
type books struct{ dir string }

func (b books) with(ctx context.Context, do func(*shares.Log, *sqlite.DB) error) (err error) {
	log, err := shares.Open(ctx, filepath.Join(b.dir, "shares.db"), shares.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	db, err := sqlite.Open(ctx, filepath.Join(b.dir, "ledger.db"), ledger.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(log, db)
}

// check asks both databases whether they are whole, and the books whether they balance.
func (b books) check(ctx context.Context) error {
	return b.with(ctx, func(log *shares.Log, db *sqlite.DB) error {
		return errors.Join(log.DB().Check(ctx), db.Check(ctx), ledger.New(db).Check(ctx))
	})
}

// outcome is what comparing promises with books and chain yields.
type outcome struct {
	answered, lost, doubled int // shares
	blocks, blocksLost      int
	stale                   int // of blocks: another was found on the same parent
	payments, paidTwice     int
}

// compare holds what the witness has seen against the books, and these against the
// chain; each difference fails the test.
func (b books) compare(t *testing.T, w *witness, chain *node.Client) (o outcome) {
	t.Helper()
	ctx := t.Context()
	w.mu.Lock()
	defer w.mu.Unlock()
	err := b.with(ctx, func(log *shares.Log, db *sqlite.DB) error {
		return errors.Join(
			log.DB().Check(ctx), db.Check(ctx), ledger.New(db).Check(ctx),
			countStored(ctx, log.DB().Reader(), w),
			o.compareShares(ctx, t, w, ledger.New(db), chain),
			o.comparePayments(ctx, t, db.Reader(), chain),
		)
	})
	if err != nil {
		t.Error(err)
	}
	return o
}

func countStored(ctx context.Context, db *sql.DB, w *witness) error {
	rows, err := db.QueryContext(ctx, `SELECT achieved FROM share`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var achieved float64
		if err := rows.Scan(&achieved); err != nil {
			return err
		}
		if share := w.shares[achieved]; share != nil {
			share.stored++
		} else {
			return fmt.Errorf("the share log has a share of difficulty %g that nobody has sent", achieved)
		}
	}
	return rows.Err()
}

func (o *outcome) compareShares(ctx context.Context, t *testing.T, w *witness, l *ledger.Ledger, chain *node.Client) error {
	for achieved, share := range w.shares {
		if share.stored > 1 {
			o.doubled++
			t.Errorf("doubled: a share of round %d, achieved %g", share.round, achieved)
		}
		if !share.yes {
			continue
		}
		o.answered++
		if share.stored == 0 {
			o.lost++
			t.Errorf("lost: a share of round %d, achieved %g", share.round, achieved)
		}
		if share.block == nil {
			continue
		}
		o.blocks++
		if err := o.compareBlock(ctx, t, w, l, chain, *share.block, share.round); err != nil {
			return err
		}
	}
	return nil
}

// compareBlock looks for a found block in the books and in the chain. Nobody but our
// miner mines there, and faster than the box can follow: when it finds two blocks on one
// parent, one of them loses, cut or no cut. But none loses to one that was found after a
// cut.
func (o *outcome) compareBlock(ctx context.Context, t *testing.T, w *witness, l *ledger.Ledger, chain *node.Client, hash chainhash.Hash, round int) error {
	lost := func(why string) {
		o.blocksLost++
		t.Errorf("lost: block %s of round %d %s", hash, round, why)
	}
	block, err := l.Block(ctx, hash)
	if errors.Is(err, ledger.ErrNotFound) {
		lost("is not in the books")
		return nil
	}
	if err != nil {
		return err
	}
	winner, err := chain.BlockHash(ctx, block.Height)
	if err != nil {
		lost(fmt.Sprintf("has height %d, where the chain has nothing: %v", block.Height, err))
		return nil
	}
	if winner == hash {
		return nil
	}
	o.stale++
	for _, share := range w.shares {
		if share.block != nil && *share.block == winner && share.round <= round {
			return nil
		}
	}
	lost(fmt.Sprintf("has lost to %s", winner))
	return nil
}

// comparePayments looks at every coin that miners got: each payout has made one at most,
// and every one that the books call paid has.
func (o *outcome) comparePayments(ctx context.Context, t *testing.T, db *sql.DB, chain *node.Client) error {
	var got struct {
		Unspents []struct {
			TxID chainhash.Hash `json:"txid"`
		} `json:"unspents"`
	}
	if err := chain.Call(ctx, "scantxoutset", &got, "start", []string{"addr(" + minersAddress + ")"}); err != nil {
		return err
	}
	coins := map[int64]int{} // of each payout
	for _, coin := range got.Unspents {
		var payout int64
		if err := db.QueryRowContext(ctx, `SELECT payout FROM payout_tx WHERE txid = ?`, coin.TxID[:]).Scan(&payout); err != nil {
			return fmt.Errorf("payment %s of the chain is in no book: %w", coin.TxID, err)
		}
		o.payments++
		if coins[payout]++; coins[payout] > 1 {
			o.paidTwice++
			t.Errorf("payout %d was paid twice, the second time with %s", payout, coin.TxID)
		}
	}
	var paid int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM payout WHERE state IN ('confirmed', 'settled')`).Scan(&paid); err != nil {
		return err
	}
	if paid == 0 || paid > len(coins) {
		t.Errorf("the books have %d confirmed payouts, the chain has %d", paid, len(coins))
	}
	return nil
}

// node is the RPC of the box's node, through SSH.
func (m *vm) node() *node.Client {
	m.t.Helper()
	var port string
	m.await("the node", func() (err error) {
		port, err = m.ssh("sed -n 's/^rpcport=//p' /var/lib/dmpool-node-conf/practice.conf && test -s /run/dmpool-node-practice/.cookie")
		return err
	})
	user, password, _ := strings.Cut(m.must("cat /run/dmpool-node-practice/.cookie"), ":")
	ln, err := (&net.ListenConfig{}).Listen(m.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	here := ln.Addr().String()
	ln.Close()
	args := append([]string{"-N", "-L", here + ":127.0.0.1:" + strings.TrimSpace(port)}, m.sshArgs()...)
	tunnel := exec.CommandContext(m.t.Context(), "ssh", args...)
	if err := tunnel.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = tunnel.Wait() }) // it was killed
	client := node.New(node.Config{URL: "http://" + here, User: user, Password: password})
	m.await("the node's RPC", func() error {
		_, err := client.BlockchainInfo(m.t.Context())
		return err
	})
	return client
}
