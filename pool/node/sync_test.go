package node

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node/nodetest"
)

func TestSyncOf(t *testing.T) {
	ibd := ChainInfo{Blocks: 300_000, Headers: 935_000, VerificationProgress: 0.123456, InitialBlockDownload: true}
	done := ChainInfo{Blocks: 935_000, Headers: 935_000, VerificationProgress: 0.999999}
	behind := func(n int32) ChainInfo { c := done; c.Blocks -= n; return c }
	dayOff := done
	dayOff.InitialBlockDownload = true

	tests := []struct {
		name, network string
		chain         ChainInfo
		out           int
		presynced     int32
		want          Stage
		text          string
	}{
		{"practice begins in IBD", "practice", ChainInfo{InitialBlockDownload: true}, 0, -1, StageReady, "on this box alone"},
		{"regtest", "regtest", ChainInfo{}, 0, -1, StageReady, "on this box alone"},
		{"main, nothing, alone", "main", ChainInfo{InitialBlockDownload: true}, 0, -1, StageHeaders, "has no connection to other nodes; is this box connected"},
		{"main, nothing, a peer", "main", ChainInfo{InitialBlockDownload: true}, 1, -1, StageHeaders, "asks other nodes for the longest"},
		{"main, presync", "main", ChainInfo{InitialBlockDownload: true}, 8, 402_000, StageHeaders, "402000 headers so far."},
		{"signet, nothing, alone", "signet", ChainInfo{InitialBlockDownload: true}, 0, -1, StageHeaders, "has no connection"},
		{"main, download", "main", ibd, 8, -1, StageDownload, "block 300000 of 935000, 12.34 % of the work."},
		{"main, download, cable out", "main", ibd, 0, -1, StageDownload, "is this box connected"},
		{"main, a day offline", "main", dayOff, 8, -1, StageDownload, "block 935000, which is old"},
		{"main, 144 behind", "main", behind(144), 8, -1, StageCatchingUp, "144 blocks are missing"},
		{"main, two behind", "main", behind(2), 8, -1, StageCatchingUp, "2 blocks are missing"},
		{"main, the newest is on its way", "main", behind(1), 8, -1, StageReady, "every block that its peers have"},
		{"main, two peers", "main", done, 2, -1, StageCatchingUp, "connections to other nodes: 2 of 3."},
		{"main, three peers", "main", done, 3, -1, StageReady, "935000"},
		{"testnet4, no peer", "testnet4", done, 0, -1, StageCatchingUp, "0 of 1. It has no connection"},
		{"testnet4, one peer", "testnet4", done, 1, -1, StageReady, ""},
		{"signet, in IBD gives templates", "signet", ibd, 8, -1, StageDownload, ""},
		{"signet, one peer", "signet", done, 1, -1, StageReady, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := SyncOf(test.network, test.chain, NetworkInfo{ConnectionsOut: test.out}, test.presynced)
			if got.Stage != test.want || !strings.Contains(got.Text, test.text) {
				t.Errorf("SyncOf() = %+v, want %s: %q", got, test.want, test.text)
			}
			if strings.Contains(strings.ToLower(got.Text), "synced") || !strings.HasSuffix(got.Text, ".") && !strings.HasSuffix(got.Text, "?") {
				t.Errorf("Text = %q", got.Text)
			}
		})
	}
	if got := percent(0.99999); got != "99.99 %" {
		t.Errorf("percent(0.99999) = %s, which is not all", got)
	}
}

// testnet4 makes the fake a node of that network which has one peer and no more than the first block, and lets the test
// say how far it is.
func testnet4(fake *nodetest.Node, chain func() (blocks, headers int32, ibd bool)) {
	genesis := chaincfg.TestNet4Params.GenesisBlock
	fake.Handle("getblockchaininfo", func(nodetest.Call) (any, error) {
		blocks, headers, ibd := chain()
		return map[string]any{
			"chain": "testnet4", "blocks": blocks, "headers": headers, "initialblockdownload": ibd,
			"bestblockhash": genesis.BlockHash(), "warnings": []string{},
		}, nil
	})
	fake.Handle("getblockhash", func(nodetest.Call) (any, error) { return genesis.BlockHash(), nil })
	fake.Handle("getblockheader", func(nodetest.Call) (any, error) { return rawGenesis(genesis) })
}

// A node that is not ready gives no template, and one that falls behind no further ones.
func TestSourceWaitsForTheNode(t *testing.T) {
	fake := nodetest.New(t)
	ibd := make(chan bool, 1)
	now := true
	testnet4(fake, func() (int32, int32, bool) {
		select {
		case now = <-ibd:
		default:
		}
		return 1, 1, now
	})
	c := newTestClient(t, fake)
	if err := c.Ready(t.Context()); !NotReady(err) || Sentence(err) != "The Bitcoin node is not ready: It is at block 1, which is old, and asks other nodes for newer ones." {
		t.Errorf("Ready() = %v, %q", err, Sentence(err))
	}
	s := NewSource(c, "", nil)
	if err := s.refresh(t.Context(), hint{seenAt: time.Now()}); !NotReady(err) {
		t.Errorf("refresh() = %v, want not ready", err)
	}
	if n := fake.Calls("getblocktemplate"); n != 0 {
		t.Errorf("asked for %d templates", n)
	}
	ibd <- false
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("Ready() = %v", err)
	}
}

func rawGenesis(b *wire.MsgBlock) (any, error) {
	var raw bytes.Buffer
	err := b.Header.Serialize(&raw)

	return hex.EncodeToString(raw.Bytes()), err
}

func TestPresyncedHeaders(t *testing.T) {
	fake := nodetest.New(t)
	c := newTestClient(t, fake)
	for _, test := range []struct {
		peers []map[string]any
		want  int32
	}{
		{[]map[string]any{}, -1},
		{[]map[string]any{{"presynced_headers": -1}, {"presynced_headers": 402_000}, {"presynced_headers": 2000}}, 402_000},
	} {
		fake.Handle("getpeerinfo", func(nodetest.Call) (any, error) { return test.peers, nil })
		if got, err := c.PresyncedHeaders(t.Context()); got != test.want || err != nil {
			t.Errorf("PresyncedHeaders(%v) = %d, %v, want %d", test.peers, got, err, test.want)
		}
	}
}
