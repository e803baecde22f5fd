package pool

import (
	"bytes"
	"context"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/stratum"
)

// newRealBench is a bench on a real bitcoind with the pool's wallet, or skips the
// test. The node builds templates with the settings of the managed one, changed by
// more.
func newRealBench(t *testing.T, more ...string) (*bench, *node.Client) {
	t.Helper()
	binary := os.Getenv("DMPOOL_BITCOIND")
	if binary == "" {
		found, err := exec.LookPath("bitcoind")
		if err != nil && os.Getenv("DMPOOL_TEST_ALL") == "" {
			t.Skip("no bitcoind: set DMPOOL_BITCOIND, see scripts/bitcoind.sh")
		}
		if err != nil {
			t.Fatal(err)
		}
		binary = found
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rpc := node.Config{URL: "http://127.0.0.1:" + port, CookieFile: filepath.Join(dir, ".cookie"), Wallet: "pool"}
	client := node.New(rpc)
	real := &realNode{t: t, client: client, dir: dir, command: append([]string{
		binary,
		"-regtest", "-datadir=" + dir, "-rpccookiefile=" + rpc.CookieFile, "-rpcport=" + port, "-connect=0", "-listen=0",
		"-addresstype=bech32", "-nosettings", "-printtoconsole=0", "-blockmaxsize=4000000", "-blockmaxweight=4000000", "-blockreservedweight=32000",
	}, more...)}
	real.start()
	t.Cleanup(func() {
		client.CloseIdle()
		real.kill()
	})
	if err := client.CreateWallet(t.Context(), "pool", "correct horse battery staple"); err != nil {
		t.Fatal(err)
	}
	wallet, err := client.NewAddress(t.Context(), "reward")
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, real: real, dir: t.TempDir(), rpc: rpc, wallet: wallet, tip: func() chainhash.Hash {
		tip, err := client.BestBlockHash(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return tip
	}}, client
}

// realNode is a bitcoind that a test can kill.
type realNode struct {
	t       *testing.T
	client  *node.Client
	dir     string
	command []string
	process *exec.Cmd
}

// start runs the node and waits until it answers.
func (n *realNode) start() {
	n.t.Helper()
	n.process = exec.CommandContext(context.Background(), n.command[0], n.command[1:]...)
	n.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.process.Start(); err != nil {
		n.t.Fatal(err)
	}
	for {
		_, err := n.client.BlockchainInfo(n.t.Context())
		if err == nil {
			return
		}
		if !node.Unavailable(err) || n.t.Context().Err() != nil {
			n.t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// kill ends the node as a power cut does.
func (n *realNode) kill() {
	_ = n.process.Process.Kill()
	_ = n.process.Wait()
}

// end stops the node in order: all of its chain is on disk then.
func (n *realNode) end() {
	n.t.Helper()
	if err := n.client.Stop(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	if err := n.process.Wait(); err != nil {
		n.t.Fatal(err)
	}
}

// agree compares ledger, wallet and chain to the satoshi.
func (b *bench) agree(client *node.Client, hashes ...chainhash.Hash) {
	b.t.Helper()
	var sums ledger.Sums
	var wallet node.Balances
	b.eventually("the wallet has what the ledger says", func() bool {
		var err error
		if wallet, err = client.Balances(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		sums = b.sums()
		return int64(wallet.Trusted+wallet.Immature) == sums.Immature+sums.Spendable
	})
	for _, hash := range hashes {
		block, err := b.ledger.Block(b.t.Context(), hash)
		if err != nil {
			b.t.Fatal(err)
		}
		var text string
		if err := client.Call(b.t.Context(), "getblock", &text, hash.String(), 0); err != nil {
			b.t.Fatal(err)
		}
		raw, err := hex.DecodeString(text)
		if err != nil {
			b.t.Fatal(err)
		}
		var m wire.MsgBlock
		if err := m.Deserialize(bytes.NewReader(raw)); err != nil {
			b.t.Fatal(err)
		}
		chain, books := map[string]int64{}, map[string]int64{}
		for _, out := range m.Transactions[0].TxOut {
			if out.Value > 0 {
				chain[payee(out.PkScript, &chaincfg.RegressionNetParams)] += out.Value
			}
		}
		for _, r := range block.Split {
			if r.Paid > 0 {
				books[r.Address] = r.Paid
			}
		}
		if rest := block.Value - block.Paid; rest > 0 {
			books[b.wallet] = rest
		}
		if diff := cmp.Diff(chain, books); diff != "" {
			b.t.Errorf("%s block %s (-chain +books):\n%s", block.Terms.Settlement, hash, diff)
		}
	}
}

// All three settlements find blocks on a real chain, which agrees with the books,
// also after a reorganisation that takes a block away and gives it back.
func TestRealNodeSettlements(t *testing.T) {
	b, client := newRealBench(t)
	b.start()
	t.Cleanup(func() { b.stop() })
	alice, bob := addressOf(t, 1), addressOf(t, 2)

	var hashes []chainhash.Hash
	for _, settlement := range []string{ledger.SettlementLedger, ledger.SettlementSolo, ledger.SettlementDirect} {
		b.settle(func(s *Settings) { s.Settlement, s.FeeBps, s.DonationBps = settlement, 150, 50 }, settlement)
		for _, miner := range []string{alice, bob} {
			hash := b.mineFor(miner + ".rig")
			b.awaitState(hash, ledger.StateAccepted)
			hashes = append(hashes, hash)
			if block, err := b.ledger.Block(t.Context(), hash); err != nil || block.Terms.Settlement != settlement || block.SubmitResult != "" {
				t.Errorf("block %s is settled by %s, the node said %q, %v", hash, block.Terms.Settlement, block.SubmitResult, err)
			}
		}
	}
	b.agree(client, hashes...)

	// The last two blocks, both direct, leave the chain.
	before := b.sums()
	if err := client.Call(t.Context(), "invalidateblock", nil, hashes[4].String()); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), "generatetoaddress", nil, 3, addressOf(t, 3)); err != nil {
		t.Fatal(err)
	}
	b.awaitState(hashes[4], ledger.StateOrphaned)
	b.awaitState(hashes[5], ledger.StateOrphaned)
	b.agree(client, hashes[:4]...)
	events, err := b.ledger.Events(t.Context(), ledger.EventFilter{Ref: "blk:" + hashes[4].String()}, 10)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if got := strings.Join(kinds, " "); got != "orphan undirect unsettle settle direct credit" {
		t.Errorf("the books say of the orphan: %s", got)
	}

	if err := client.Call(t.Context(), "invalidateblock", nil, b.child(client, hashes[3]).String()); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), "reconsiderblock", nil, hashes[4].String()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(hashes[4], ledger.StateAccepted)
	b.awaitState(hashes[5], ledger.StateAccepted)
	b.agree(client, hashes...)
	after := b.sums()
	if after.Immature+after.Spendable != before.Immature+before.Spendable || after.Owed() != before.Owed() || after.Fee != before.Fee {
		t.Errorf("sums %+v, before the reorganisation %+v", after, before)
	}
}

// child returns the block on top of another in the chain.
func (b *bench) child(client *node.Client, parent chainhash.Hash) chainhash.Hash {
	b.t.Helper()
	header, err := client.Header(b.t.Context(), parent)
	if err != nil {
		b.t.Fatal(err)
	}
	hash, err := client.BlockHash(b.t.Context(), header.Height+1)
	if err != nil {
		b.t.Fatal(err)
	}
	return hash
}

// A coinbase with 65 outputs does not fit into a full block for which the node
// kept no room: the job falls back to the pool's wallet. With the room that the
// managed node keeps it fits, and the node takes the block.
func TestRealNodeFullBlock(t *testing.T) {
	for _, c := range []struct{ reserve, settlement string }{
		{"8000", ledger.SettlementLedger},
		{"32000", ledger.SettlementDirect},
	} {
		t.Run("reserve of "+c.reserve, func(t *testing.T) {
			b, client := newRealBench(t, "-blockreservedweight="+c.reserve, "-acceptnonstdtxn=1", "-maxmempool=300", "-minrelaytxfee=0", "-blockmintxfee=0")
			fillMempool(t, client)
			b.start()
			t.Cleanup(func() { b.stop() })
			conn := b.connectMiner("bitaxe/BM1370", addressOf(t, 1))
			defer func() { _ = conn.Close() }()

			b.eventually("a job", func() bool { return b.pool.Status().Serving })
			job := b.pool.serving.Load().job
			for n := range byte(64) {
				share := stratum.Share{
					Worker: stratum.Worker{Address: addressOf(t, n+1), Script: append([]byte{0, 20}, bytes.Repeat([]byte{n + 1}, 20)...), Name: "rig"},
					Job:    job, Difficulty: job.NetworkDifficulty, Work: 1, At: time.Now(),
				}
				commit, err := b.pool.Accepted(t.Context(), share)
				if err != nil {
					t.Fatal(err)
				}
				if err := commit.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			b.settle(func(s *Settings) { s.Settlement, s.FeeBps, s.WindowMilli = ledger.SettlementDirect, 150, 100_000 }, c.settlement)
			b.eventually("the jobs have been asked about", func() bool {
				status := b.pool.Status()
				return status.Settlement == ledger.SettlementDirect || status.Fallback != ""
			})
			status := b.pool.Status()
			t.Logf("%d transactions, %d outputs, fallback %q", status.TemplateTxs, len(b.pool.serving.Load().job.Layout.Outputs), status.Fallback)
			if status.Settlement != c.settlement || (status.Fallback == "") != (c.settlement == ledger.SettlementDirect) {
				t.Errorf("settled by %s, fallback %q", status.Settlement, status.Fallback)
			}
			if got := len(b.pool.serving.Load().job.Layout.Outputs); c.settlement == ledger.SettlementDirect && got != 65 {
				t.Errorf("%d outputs, want 65", got)
			}
			hash := b.mineFor(addressOf(t, 1) + ".rig")
			b.awaitState(hash, ledger.StateAccepted)
			b.agree(client, hash)
		})
	}
}

// connectMiner shakes hands as a device, whose user agent decides how large a
// coinbase may be.
func (b *bench) connectMiner(agent, address string) net.Conn {
	b.t.Helper()
	conn, err := new(net.Dialer).DialContext(b.t.Context(), "tcp", b.pool.Listeners[0].Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = conn.Write([]byte(`{"id":1,"method":"mining.subscribe","params":["` + agent + `"]}` + "\n" +
		`{"id":2,"method":"mining.authorize","params":["` + address + `.rig","x"]}` + "\n"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.eventually("the miner is there", func() bool { return len(b.pool.Status().Sessions) == 1 })
	return conn
}

// fillMempool gives the node transactions that weigh 3 991 452 together: as much
// as fits into a block of which 8000 are kept for the coinbase, to less than what a
// coinbase with 65 outputs takes beyond that.
func fillMempool(t *testing.T, client *node.Client) {
	t.Helper()
	const large, small = 38, 473 // of weight 99 412 and 452
	var blocks []string
	if err := client.Call(t.Context(), "generatetodescriptor", &blocks, large+small+100, "raw(51)"); err != nil {
		t.Fatal(err)
	}
	for i := range large + small {
		var text string
		if err := client.Call(t.Context(), "getblock", &text, blocks[i], 0); err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		var m wire.MsgBlock
		if err := m.Deserialize(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		outputs, fee := 800, int64(800_000)
		if i >= large {
			outputs, fee = 2, 1000
		}
		coinbase := m.Transactions[0]
		txid := coinbase.TxHash()
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&txid, 0), nil, nil))
		for n := range outputs {
			script := append([]byte{0, 20}, bytes.Repeat([]byte{byte(n)}, 20)...)
			tx.AddTxOut(wire.NewTxOut((coinbase.TxOut[0].Value-fee)/int64(outputs), script))
		}
		var buffer bytes.Buffer
		if err := tx.Serialize(&buffer); err != nil {
			t.Fatal(err)
		}
		if err := client.Call(t.Context(), "sendrawtransaction", nil, hex.EncodeToString(buffer.Bytes()), 0); err != nil {
			t.Fatalf("transaction %d: %v", i, err)
		}
	}
}
