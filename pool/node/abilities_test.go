package node

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a real node lets a user do is found out without doing it.
func TestBitcoindAbilities(t *testing.T) {
	all := append(append(workCalls(), walletCalls()...), "getblockchaininfo", "getnetworkinfo")
	no := func(out ...string) string {
		return "-rpcwhitelist=__cookie__:" + strings.Join(slices.DeleteFunc(slices.Clone(all), func(m string) bool { return slices.Contains(out, m) }), ",")
	}
	tests := []struct {
		name string
		args []string
		want map[string]string // ability that is missing, with a part of its sentence
	}{
		{"everything", nil, nil},
		{"pruned", []string{"-prune=550"}, map[string]string{"history": "It is pruned"}},
		{"wallet disabled", []string{"-disablewallet=1"}, map[string]string{"wallet": "disablewallet=1"}},
		{"no blocks on the whitelist", []string{no("submitblock")}, map[string]string{"work": "call submitblock. Add", "announcements": "does not announce"}},
		{"no money on the whitelist", []string{no("walletpassphrase", "sendrawtransaction")}, map[string]string{
			"wallet": "call walletpassphrase, sendrawtransaction. Add", "announcements": "does not announce",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n := startBitcoind(t, "regtest", test.args...)
			abilities, err := n.Abilities(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range abilities {
				part, missing := test.want[a.Name]
				if a.OK == missing || !strings.Contains(a.Text, part) {
					t.Errorf("%s: %+v, want it missing: %t", a.Name, a, missing)
				}
			}
			if len(test.args) > 0 {
				return
			}
			wallets, err := n.ListWallets(t.Context())
			if chain, chainErr := n.BlockchainInfo(t.Context()); err != nil || chainErr != nil || len(wallets) != 0 || chain.Blocks != 0 {
				t.Errorf("trying left wallets %v and %d blocks: %v, %v", wallets, chain.Blocks, err, chainErr)
			}
		})
	}
}

// A source finds the publisher of a node whose settings it does not know.
func TestBitcoindAskZMQ(t *testing.T) {
	n := startBitcoind(t, "regtest")
	if address, err := n.BlockPublisher(t.Context()); err != nil || address != n.zmq {
		t.Fatalf("BlockPublisher() = %q, %v, want %q", address, err, n.zmq)
	}
	source := NewSource(n.Client, AskZMQ, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx) }()
	for !source.State().ZMQ && sleep(ctx, 10*time.Millisecond) {
		continue
	}
	if !source.State().ZMQ {
		t.Error("no subscription")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Where a publisher is reached depends on which machine asks.
func TestPublisherSeenFrom(t *testing.T) {
	for _, test := range []struct{ host, bound, want string }{
		{"127.0.0.1", "tcp://127.0.0.1:28332", "tcp://127.0.0.1:28332"},
		{"localhost", "tcp://127.0.0.1:28332", "tcp://127.0.0.1:28332"},
		{"10.0.0.7", "tcp://127.0.0.1:28332", ""},
		{"10.0.0.7", "tcp://0.0.0.0:28332", "tcp://10.0.0.7:28332"},
		{"10.0.0.7", "tcp://*:28332", "tcp://10.0.0.7:28332"},
		{"fd00::7", "tcp://[::]:28332", "tcp://[fd00::7]:28332"},
		{"10.0.0.7", "tcp://10.0.0.7:28332", "tcp://10.0.0.7:28332"},
		{"127.0.0.1", "ipc:///run/bitcoind.sock", ""},
		{"127.0.0.1", "tcp://nonsense", ""},
	} {
		if got := seenFrom(test.host, test.bound); got != test.want {
			t.Errorf("seenFrom(%s, %s) = %q, want %q", test.host, test.bound, got, test.want)
		}
	}
}

// Without encryption nothing leaves the home, whatever the node's name stands for.
func TestStayHome(t *testing.T) {
	for address, home := range map[string]bool{
		"127.0.0.1:8332": true, "[::1]:8332": true, "10.0.0.7:8332": true, "192.168.1.2:8332": true, "[fd00::7]:8332": true,
		"[fe80::1%eth0]:8332": true, "[::ffff:10.0.0.7]:8332": true,
		"203.0.113.9:8332": false, "[2001:db8::1]:8332": false, "[::ffff:203.0.113.9]:8332": false, "nonsense": false,
	} {
		if err := stayHome(t.Context(), "tcp", address, nil); (err == nil) != home {
			t.Errorf("stayHome(%s) = %v, want it allowed: %t", address, err, home)
		}
	}
}
