package nodetest_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
	"github.com/dmpool/dmpool/pool/work"
)

func newClient(t *testing.T, fake *nodetest.Node) *node.Client {
	t.Helper()

	c := node.New(node.Config{URL: fake.URL, CookieFile: fake.CookieFile})
	t.Cleanup(c.CloseIdle)

	return c
}

// block makes a block on the current tip, with a proof of work or without.
func block(t *testing.T, c *node.Client, wantProof bool) (*work.Template, []byte) {
	t.Helper()

	template, err := c.Template(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	layout := work.Layout{Outputs: []work.Output{{Script: []byte{0x51}, Value: template.CoinbaseValue}}}
	job, err := work.NewJob(template, layout, 1, template.CurTime)
	if err != nil {
		t.Fatal(err)
	}
	solution := work.Solution{Version: job.Version, Time: job.Time}
	for job.Prove(solution).Block != wantProof {
		solution.Nonce++
	}

	return template, job.Block(solution)
}

func TestSubmitBlock(t *testing.T) {
	fake := nodetest.New(t)
	c := newClient(t, fake)
	submit := func(raw []byte, want string) {
		t.Helper()
		if got, err := c.SubmitBlock(t.Context(), raw); got != want || err != nil {
			t.Errorf("SubmitBlock() = %q, %v, want %q", got, err, want)
		}
	}

	_, weak := block(t, c, false)
	submit(weak, "high-hash")

	// A transaction with a witness, so that the commitment counts.
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}}, nil, [][]byte{{1}}))
	tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	fake.AddTx(serialize(t, tx), 1234)

	template, raw := block(t, c, true)
	if len(template.Txs) != 1 || template.CoinbaseValue != 50_0000_1234 {
		t.Errorf("template has %d transactions, value %d, want 1, 5000001234", len(template.Txs), template.CoinbaseValue)
	}
	if reason, err := c.ProposeBlock(t.Context(), raw); reason != "" || err != nil {
		t.Errorf("ProposeBlock() = %q, %v", reason, err)
	}

	orphan := append([]byte(nil), raw...)
	orphan[4] ^= 1
	submit(orphan, "prev-blk-not-found")

	var spoilt wire.MsgBlock
	if err := spoilt.Deserialize(reader(raw)); err != nil {
		t.Fatal(err)
	}
	spoilt.Transactions[0].TxOut[0].Value++
	submit(remine(t, &spoilt), "bad-cb-amount")
	spoilt.Transactions[0].TxOut[0].Value--
	spoilt.Transactions[0].TxOut[1].PkScript[10] ^= 1
	submit(remine(t, &spoilt), "bad-witness-merkle-match")
	spoilt.Transactions[0].TxIn[0].SignatureScript[0]++
	submit(remine(t, &spoilt), "bad-cb-height")

	submit(raw, "")
	submit(raw, "duplicate")
	if after, _ := block(t, c, true); len(after.Txs) != 0 || after.Height != 2 {
		t.Errorf("next template has height %d and %d transactions, want 2, 0", after.Height, len(after.Txs))
	}
	if _, err := c.SubmitBlock(t.Context(), []byte{0}); !node.IsCode(err, node.ErrCodeDeserialization) {
		t.Errorf("SubmitBlock(nonsense) = %v, want code %d", err, node.ErrCodeDeserialization)
	}
}

func TestReorganisation(t *testing.T) {
	fake := nodetest.New(t)
	c := newClient(t, fake)
	genesis, _ := fake.Tip()
	confirmations := func(hash chainhash.Hash, want int32) {
		t.Helper()
		if h, err := c.Header(t.Context(), hash); err != nil || h.Confirmations != want {
			t.Errorf("Header(%v) has %d confirmations, %v, want %d", hash, h.Confirmations, err, want)
		}
	}

	_, ours := block(t, c, true)
	late := fake.Fork(genesis, 1)
	confirmations(late[0], 1)
	if got, err := c.SubmitBlock(t.Context(), ours); got != "inconclusive" || err != nil {
		t.Errorf("SubmitBlock(second of its height) = %q, %v, want inconclusive", got, err)
	}
	lost := hashOf(t, ours)
	confirmations(lost, -1)

	fake.Fork(lost, 2)
	confirmations(lost, 3)
	confirmations(late[0], -1)

	fake.Invalidate(lost)
	confirmations(lost, -1)
	confirmations(late[0], 1)
	if got, err := c.SubmitBlock(t.Context(), ours); got != "duplicate-invalid" || err != nil {
		t.Errorf("SubmitBlock(invalidated) = %q, %v, want duplicate-invalid", got, err)
	}

	fake.Forget(1)
	if _, err := c.Header(t.Context(), late[0]); !node.IsCode(err, node.ErrCodeNotFound) {
		t.Errorf("Header(forgotten) = %v, want code %d", err, node.ErrCodeNotFound)
	}
	if got, _ := c.BlockHash(t.Context(), 0); got != genesis {
		t.Errorf("BlockHash(0) = %v, want %v", got, genesis)
	}
}

func TestScripts(t *testing.T) {
	fake := nodetest.New(t)
	c := newClient(t, fake)

	fake.Fail("getbestblockhash", 2, -1, "first")
	fake.Fail("getbestblockhash", 1, -2, "second")
	for _, want := range []int{-1, -1, -2, 0} {
		_, err := c.BestBlockHash(t.Context())
		if got, _ := node.Code(err); got != want {
			t.Errorf("BestBlockHash() = %v, want code %d", err, want)
		}
	}

	fake.Break(500, "<html>")
	if _, err := c.BestBlockHash(t.Context()); !errors.Is(err, node.ErrBadAnswer) {
		t.Errorf("BestBlockHash() = %v, want ErrBadAnswer", err)
	}
	if _, err := c.Balances(t.Context()); !node.IsCode(err, node.ErrCodeMethodNotFound) {
		t.Errorf("Balances() = %v, want code %d", err, node.ErrCodeMethodNotFound)
	}
	if got := fake.Calls("getbestblockhash"); got != 4 {
		t.Errorf("Calls() = %d, want 4", got)
	}

	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.BestBlockHash(t.Context()); node.Unavailable(err) {
			break
		}
	}
	fake.Start("")
	if info, err := c.BlockchainInfo(t.Context()); err != nil || info.Chain != "regtest" || info.Blocks != 0 {
		t.Errorf("BlockchainInfo() = %+v, %v, want regtest at 0", info, err)
	}
	if info, err := c.NetworkInfo(t.Context()); err != nil || info.ConnectionsOut == 0 {
		t.Errorf("NetworkInfo() = %+v, %v", info, err)
	}
}

func hashOf(t *testing.T, raw []byte) chainhash.Hash {
	t.Helper()

	var header wire.BlockHeader
	if err := header.Deserialize(reader(raw)); err != nil {
		t.Fatalf("block %s: %v", hex.EncodeToString(raw), err)
	}

	return header.BlockHash()
}
