package payout

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
)

// fault is what happens to one call.
type fault int

const (
	noFault     fault = iota
	unreachable       // the request does not arrive
	lostReply         // the request is carried out, the answer is lost
	warmup            // the node is starting
	crashBefore       // our process dies before the request leaves
	crashAfter        // our process dies before the answer arrives
	killBefore        // the node dies before the request arrives, and is started again
	killAfter         // the node dies after it has carried out the request
)

func (f fault) String() string {
	return [...]string{
		"no fault", "unreachable", "lost reply", "warmup", "crash before", "crash after", "kill node before", "kill node after",
	}[f]
}

// crashed is the panic with which our process dies at a call.
type crashed struct{ method string }

const passphrase = "correct horse"

// fakeTx is a transaction that the node or the wallet has seen.
type fakeTx struct {
	tx       *wire.MsgTx
	coinbase bool
	block    int32 // height, zero while unconfirmed
	mempool  bool
}

// fakeWallet is a small chain, its node and its wallet: coins, locks, keys, a
// mempool, confirmations, and the ways in which all of this fails.
type fakeWallet struct {
	mu sync.Mutex

	height  int32
	branch  byte // changes the hashes of blocks after a reorganisation
	forked  int32
	txs     map[chainhash.Hash]*fakeTx
	keys    map[string]*btcec.PrivateKey // by scriptPubKey
	locks   map[wire.OutPoint]bool       // true: survives a restart
	open    bool                         // unlocked
	fee     string                       // the node's estimate, empty for none
	noKeys  bool                         // not loaded
	sent    int                          // times a transaction was accepted anew
	cold    bool                         // watch-only
	scans   bool                         // searches the chain for its coins
	orphans map[chainhash.Hash]bool      // blocks that left the main chain
	refuse  error                        // answer to SendRaw and TestAccept instead of the true one

	calls   int
	faultAt int    // the call at which fault happens
	faultOn string // or the method
	fault   fault
	dead    bool // our process crashed: nothing it still does arrives
	log     []string
	took    time.Duration // for all calls: the node's part of what is measured
}

func newFakeWallet() *fakeWallet {
	return &fakeWallet{
		txs: map[chainhash.Hash]*fakeTx{}, keys: map[string]*btcec.PrivateKey{}, locks: map[wire.OutPoint]bool{},
		fee: "2.000", orphans: map[chainhash.Hash]bool{},
	}
}

// call runs do under the lock, with the fault that is due.
func (w *fakeWallet) call(method string, do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	start := time.Now()
	defer func() { w.took += time.Since(start) }()

	if w.dead {
		return fmt.Errorf("call %s: %w", method, node.ErrUnreachable)
	}
	w.calls++
	w.log = append(w.log, method)
	now := noFault
	if w.calls == w.faultAt || method == w.faultOn {
		now, w.faultOn = w.fault, ""
	}

	gone := fmt.Errorf("call %s: %w", method, node.ErrUnreachable)
	switch now {
	case unreachable:
		return gone
	case warmup:
		return &node.RPCError{Method: method, Code: node.ErrCodeWarmup, Message: "Loading wallet…"}
	case crashBefore:
		w.dead = true
		panic(crashed{method})
	case killBefore:
		w.restart()
		return gone
	}

	err := do()

	switch now {
	case lostReply:
		return gone
	case crashAfter:
		w.dead = true
		panic(crashed{method})
	case killAfter:
		w.restart()
		return gone
	}

	return err
}

// walletCall is call for methods that need the wallet.
func (w *fakeWallet) walletCall(method string, do func() error) error {
	return w.call(method, func() error {
		if w.noKeys {
			return &node.RPCError{Method: method, Code: node.ErrCodeNoWallet, Message: "Requested wallet does not exist or is not loaded"}
		}

		return do()
	})
}

func refusal(method string, code int, text string) error {
	return &node.RPCError{Method: method, Code: code, Message: text}
}

// restart is kill -9 and a new start: the mempool, the locks in memory and the
// wallet's open door are gone, and so is what it had not yet written down.
func (w *fakeWallet) restart() {
	for txid, t := range w.txs {
		if t.block == 0 {
			delete(w.txs, txid)
		}
	}
	for coin, persistent := range w.locks {
		if !persistent {
			delete(w.locks, coin)
		}
	}
	w.open = false
}

// newScript makes a key and returns its P2WPKH script.
func (w *fakeWallet) newScript() []byte {
	seed := sha256.Sum256(fmt.Appendf(nil, "key %d", len(w.keys)))
	key, pub := btcec.PrivKeyFromBytes(seed[:])
	a, err := address.NewAddressWitnessPubKeyHash(address.Hash160(pub.SerializeCompressed()), &chaincfg.RegressionNetParams)
	if err != nil {
		panic(err)
	}
	script, err := txscript.PayToAddrScript(a)
	if err != nil {
		panic(err)
	}
	w.keys[string(script)] = key

	return script
}

// mine adds a block that confirms the mempool and, for a reward, pays the wallet.
func (w *fakeWallet) mine(blocks int, reward int64) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for range blocks {
		w.height++
		for _, t := range w.txs {
			if t.mempool {
				t.mempool, t.block = false, w.height
			}
		}
		if reward > 0 {
			tx := wire.NewMsgTx(2)
			var height [4]byte
			binary.LittleEndian.PutUint32(height[:], uint32(w.height))
			tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, 0xffffffff), append(height[:], w.branch), nil))
			tx.AddTxOut(wire.NewTxOut(reward, w.newScript()))
			w.txs[tx.TxHash()] = &fakeTx{tx: tx, coinbase: true, block: w.height}
		}
	}
}

// reorg takes the last blocks away; their transactions return to the mempool, or
// are forgotten. As many empty blocks follow.
func (w *fakeWallet) reorg(blocks int32, forget bool) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for height := w.height - blocks + 1; height <= w.height; height++ {
		w.orphans[w.blockHash(height)] = true
	}
	w.branch++
	w.forked = w.height - blocks + 1
	for txid, t := range w.txs {
		if t.block < w.forked {
			continue
		}
		t.block, t.mempool = 0, true
		if forget || t.coinbase {
			delete(w.txs, txid)
		}
	}
}

// steal spends the coins of a transaction with another one, in the next block.
func (w *fakeWallet) steal(tx *wire.MsgTx) chainhash.Hash {
	w.mu.Lock()
	theft := wire.NewMsgTx(2)
	for _, in := range tx.TxIn {
		theft.AddTxIn(wire.NewTxIn(&in.PreviousOutPoint, nil, nil))
	}
	theft.AddTxOut(wire.NewTxOut(1000, script(666)))
	w.height++
	w.txs[theft.TxHash()] = &fakeTx{tx: theft, block: w.height}
	if t := w.txs[tx.TxHash()]; t != nil {
		t.mempool, t.block = false, 0
	}
	w.mu.Unlock()

	return theft.TxHash()
}

func (w *fakeWallet) blockHash(height int32) chainhash.Hash {
	branch := w.branch
	if height < w.forked {
		branch = 0
	}

	return chainhash.HashH(fmt.Appendf(nil, "block %d %d", height, branch))
}

// spender returns the transaction that spends a coin; confirmed ones win.
func (w *fakeWallet) spender(coin wire.OutPoint, except chainhash.Hash) *fakeTx {
	var found *fakeTx
	for txid, t := range w.txs {
		if txid == except || t.coinbase || t.block == 0 && !t.mempool {
			continue
		}
		for _, in := range t.tx.TxIn {
			if in.PreviousOutPoint == coin && (found == nil || t.block > 0) {
				found = t
			}
		}
	}

	return found
}

// coin returns the output that an outpoint names, nil unless the node has it.
func (w *fakeWallet) coin(op wire.OutPoint) (*wire.TxOut, *fakeTx) {
	t := w.txs[op.Hash]
	if t == nil || t.block == 0 && !t.mempool || int(op.Index) >= len(t.tx.TxOut) {
		return nil, nil
	}

	return t.tx.TxOut[op.Index], t
}

// feeOf is what a transaction pays, given that the node knows its coins.
func (w *fakeWallet) feeOf(tx *wire.MsgTx) (fee int64) {
	for _, in := range tx.TxIn {
		if out, _ := w.coin(in.PreviousOutPoint); out != nil {
			fee += out.Value
		}
	}
	for _, out := range tx.TxOut {
		fee -= out.Value
	}

	return fee
}

// unspent lists the wallet's confirmed, mature and unspent coins.
func (w *fakeWallet) unspent() []node.Unspent {
	var all []node.Unspent
	for txid, t := range w.txs {
		if t.block == 0 || t.coinbase && w.height-t.block < 100 {
			continue
		}
		for n, out := range t.tx.TxOut {
			op := wire.OutPoint{Hash: txid, Index: uint32(n)}
			if w.keys[string(out.PkScript)] == nil || w.spender(op, chainhash.Hash{}) != nil {
				continue
			}
			all = append(all, node.Unspent{
				TxID: txid, Vout: uint32(n), Script: out.PkScript, Amount: node.Sats(out.Value),
				Confirmations: w.height - t.block + 1, Spendable: true, Safe: true,
			})
		}
	}
	slices.SortFunc(all, func(a, b node.Unspent) int {
		return compareOutPoints(wire.OutPoint{Hash: a.TxID, Index: a.Vout}, wire.OutPoint{Hash: b.TxID, Index: b.Vout})
	})

	return all
}

// paidTo adds up what confirmed transactions pay to a script.
func (w *fakeWallet) paidTo(script []byte) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()

	var sum int64
	for _, t := range w.txs {
		for _, out := range t.tx.TxOut {
			if t.block > 0 && bytes.Equal(out.PkScript, script) {
				sum += out.Value
			}
		}
	}

	return sum
}

// balance is what the wallet holds in coins that it can spend.
func (w *fakeWallet) balance() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()

	var sum int64
	for _, u := range w.unspent() {
		sum += int64(u.Amount)
	}

	return sum
}

// extract finalizes a signed packet and serializes its transaction.
func extract(packet *psbt.Packet) ([]byte, error) {
	if err := psbt.MaybeFinalizeAll(packet); err != nil {
		return nil, err
	}
	tx, err := psbt.Extract(packet)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = tx.Serialize(&buf)

	return buf.Bytes(), err
}
