package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/work"
)

func TestBitcoindMining(t *testing.T) {
	n := startBitcoind(t, "regtest")
	ctx := t.Context()

	// Heights 1 to 16 are pushed by opcodes, 17 by a number, 128 by two bytes: all must be accepted.
	tip := n.mine(t, anyone, 129)

	chain, err := n.BlockchainInfo(ctx)
	if err != nil || chain.Chain != "regtest" || chain.Blocks != 129 || chain.BestBlockHash != tip {
		t.Errorf("BlockchainInfo() = %+v, %v, want regtest at 129, %v", chain, err, tip)
	}
	if network, err := n.NetworkInfo(ctx); err != nil || network.Version < 290000 || network.Connections != 0 {
		t.Errorf("NetworkInfo() = %+v, %v, want 29 or later without peers", network, err)
	}
	if pool, err := n.MempoolInfo(ctx); err != nil || pool.Size != 0 || pool.MempoolMinFee == 0 {
		t.Errorf("MempoolInfo() = %+v, %v, want empty with a minimum fee", pool, err)
	}
	if _, err := n.Uptime(ctx); err != nil {
		t.Errorf("Uptime(): %v", err)
	}

	header, err := n.Header(ctx, tip)
	if err != nil || header.Height != 129 || header.Confirmations != 1 || header.Bits != 0x207fffff {
		t.Errorf("Header(tip) = %+v, %v", header, err)
	}
	if hash, err := n.BlockHash(ctx, 128); err != nil || hash != header.PrevHash {
		t.Errorf("BlockHash(128) = %v, %v, want %v", hash, err, header.PrevHash)
	}
	_, err = n.BlockHash(ctx, 1000)
	wantCode(t, "BlockHash(1000)", err, ErrCodeParameter)
	_, err = n.Header(ctx, chainhash.Hash{1})
	wantCode(t, "Header(unknown)", err, ErrCodeNotFound)
	wantCode(t, "Call(unknown)", n.Call(ctx, "nosuchmethod", nil), ErrCodeMethodNotFound)
	if in, err := n.InMempool(ctx, chainhash.Hash{1}); in || err != nil {
		t.Errorf("InMempool(unknown) = %v, %v", in, err)
	}

	t.Run("submitblock", func(t *testing.T) { submitBlocks(t, n) })
	t.Run("long poll", func(t *testing.T) { wakeLongPoll(t, n) })
	t.Run("orphan", func(t *testing.T) { orphan(t, n) })
}

// submitBlocks checks what the node says of blocks, good and bad.
func submitBlocks(t *testing.T, n *bitcoind) {
	template, err := n.Template(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	good := solve(t, template, anyone)
	rival := solve(t, template, []byte{0x52})
	spoil := func(change func(*wire.MsgBlock)) []byte {
		var m wire.MsgBlock
		if err := m.Deserialize(bytes.NewReader(good)); err != nil {
			t.Fatal(err)
		}
		change(&m)
		m.Header.MerkleRoot = m.Transactions[0].TxHash()
		for !template.Target.Meets(m.BlockHash()) {
			m.Header.Nonce++
		}
		var raw bytes.Buffer
		if err := m.Serialize(&raw); err != nil {
			t.Fatal(err)
		}

		return raw.Bytes()
	}
	weak := bytes.Clone(good)
	for template.Target.Meets(chainhash.DoubleHashH(weak[:80])) {
		weak[76]++
	}

	for _, test := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"no proof of work", weak, "high-hash"},
		{"unknown parent", spoil(func(m *wire.MsgBlock) { m.Header.PrevBlock[0] ^= 1 }), "prev-blk-not-found"},
		{"one satoshi too much", spoil(func(m *wire.MsgBlock) { m.Transactions[0].TxOut[0].Value++ }), "bad-cb-amount"},
		{"time before the last blocks", spoil(func(m *wire.MsgBlock) { m.Header.Timestamp = time.Unix(1, 0) }), "time-too-old"},
		{"good", good, ""},
		{"again", good, "duplicate"},
		{"second of its height", rival, "inconclusive"},
	} {
		if got, err := n.SubmitBlock(t.Context(), test.raw); got != test.want || err != nil {
			t.Errorf("%s: SubmitBlock() = %q, %v, want %q", test.name, got, err, test.want)
		}
	}

	_, err = n.SubmitBlock(t.Context(), []byte{0})
	wantCode(t, "SubmitBlock(nonsense)", err, ErrCodeDeserialization)
	if reason, err := n.ProposeBlock(t.Context(), rival); reason == "" || err != nil {
		t.Errorf("ProposeBlock(on an old tip) = %q, %v, want a reason", reason, err)
	}
}

// wakeLongPoll lets a long poll wait, submits meanwhile, and sees it wake.
func wakeLongPoll(t *testing.T, n *bitcoind) {
	before, err := n.Template(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}

	woken := make(chan *work.Template, 1)
	go func() {
		defer close(woken)
		after, err := n.Template(t.Context(), before.LongPollID)
		if err != nil {
			t.Errorf("Template(long poll): %v", err)
			return
		}
		woken <- after
	}()
	for {
		if waiting, err := n.waiting(t.Context()); err != nil || waiting > 0 {
			break
		}
	}

	tip := n.mine(t, anyone, 1)
	if after := <-woken; after == nil || after.PrevHash != tip {
		t.Errorf("long poll woke with %+v, want the new tip %v", after, tip)
	}
}

// orphan takes the tip out of the chain and back.
func orphan(t *testing.T, n *bitcoind) {
	tip := n.mine(t, anyone, 1)
	for _, step := range []struct {
		method string
		want   int32
	}{{"invalidateblock", -1}, {"reconsiderblock", 1}} {
		if err := n.Call(t.Context(), step.method, nil, tip); err != nil {
			t.Fatal(err)
		}
		if h, err := n.Header(t.Context(), tip); err != nil || h.Confirmations != step.want {
			t.Errorf("after %s: %d confirmations, %v, want %d", step.method, h.Confirmations, err, step.want)
		}
	}
}

// TestBitcoindAbandonedLongPolls shows why Source counts them.
func TestBitcoindAbandonedLongPolls(t *testing.T) {
	n := startBitcoind(t, "regtest", "-rpcthreads=8")
	template, err := n.Template(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}

	const polls = maxAbandoned + 1
	for i := range polls {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := n.Template(ctx, template.LongPollID)
			failed <- err
		}()
		for waiting := 0; waiting <= i; {
			if waiting, err = n.waiting(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("abandoned long poll: %v", err)
		}
	}

	s := NewSource(n.Client, "", slog.New(slog.DiscardHandler))
	if !s.crowded(t.Context()) {
		t.Error("the node noticed that its clients went away: is the limit still needed?")
	}
	n.mine(t, anyone, 1)
	for s.crowded(t.Context()) {
		time.Sleep(time.Millisecond)
	}
}

func TestBitcoindRestart(t *testing.T) {
	n := startBitcoind(t, "regtest")
	s := NewSource(n.Client, n.zmq, slog.New(slog.DiscardHandler))
	s.pace.pause = 10 * time.Millisecond
	s.pace.poll = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run() = %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})

	for height := range int32(3) {
		for !s.State().ZMQ {
			time.Sleep(time.Millisecond)
		}
		tip := n.mine(t, anyone, 1)
		if u := await(t, s, height+2); u.Template.PrevHash != tip || !u.NewTip {
			t.Errorf("update %+v, want a new tip %v", u, tip)
		}

		// Let the node write the block before it stops, gently or not.
		if err := n.Call(ctx, "gettxoutsetinfo", nil, "none"); err != nil {
			t.Fatal(err)
		}
		if err := n.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		<-n.ended
		for s.State().ZMQ || s.State().Problem == "" {
			time.Sleep(time.Millisecond)
		}
		n.launch(t)
		for s.State().Problem != "" {
			time.Sleep(time.Millisecond)
		}
	}
}

// TestBitcoindZMQ looks at the ZMQ watcher alone, over a restart.
func TestBitcoindZMQ(t *testing.T) {
	n := startBitcoind(t, "regtest")
	s := NewSource(n.Client, n.zmq, slog.New(slog.DiscardHandler))
	s.pace.pause = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.subscribe(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})

	for range 2 {
		// A message that was sent before the node had read our subscription is lost, so mine until one arrives.
		for seen := false; !seen; {
			if !s.State().ZMQ {
				time.Sleep(time.Millisecond)
				continue
			}
			tip := n.mine(t, anyone, 1)
			select {
			case <-s.wake:
				got := s.suggestion()
				seen = got.reason == "zmq"
				if seen && got.tip != tip {
					t.Logf("hint for %v while the tip is %v", got.tip, tip)
				}
			case <-time.After(time.Second):
			}
		}

		n.stop()
		for s.State().ZMQ {
			time.Sleep(time.Millisecond)
		}
		n.launch(t)
		n.ready(t)
	}
}

func TestBitcoindSignet(t *testing.T) {
	n := startBitcoind(t, "signet", "-signetchallenge=51")

	template, err := n.Template(t.Context(), "")
	if err != nil || len(template.SignetChallenge) != 1 || template.WitnessCommitment == nil {
		t.Fatalf("Template() = %+v, %v, want challenge and commitment", template, err)
	}
	n.mine(t, anyone, 1)
	chain, err := n.BlockchainInfo(t.Context())
	if err != nil || chain.Chain != "signet" || chain.Blocks != 1 || chain.InitialBlockDownload || chain.SignetChallenge != "51" {
		t.Errorf("BlockchainInfo() = %+v, %v, want signet at 1, synchronised", chain, err)
	}
}
