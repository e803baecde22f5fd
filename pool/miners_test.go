package pool

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/work"
)

// "row 14": what a miner is told about its username. Firmware shows 28
// characters.
func TestRefusal(t *testing.T) {
	tests := []struct{ network, username, want string }{
		{"main", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx.w", "Address is for testnet"},
		{"main", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "Address is for regtest"},
		{"testnet4", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.w", "Address is for mainnet"},
		{"main", "worker1", "Address is not valid"},
		{"main", ".worker1", "Address is empty"},
		{"main", "bc1pfeessrawgf", "Address is not supported"},
		{"main", string(make([]byte, 300)), "Username is too long"},
	}
	for _, test := range tests {
		p := &Pool{Config: Config{Network: test.network}}
		_, err := p.Authorize(t.Context(), test.username)
		if err == nil || err.Error() != test.want || len(test.want) > 28 {
			t.Errorf("Authorize(%q) on %s = %v, want %q", test.username, test.network, err, test.want)
		}
	}
}

// tipNode knows the time of the tip.
type tipNode struct {
	Node
	time uint32
	err  error
}

func (n tipNode) Header(context.Context, chainhash.Hash) (node.Header, error) {
	return node.Header{Time: n.time}, n.err
}

// On a testnet miners must not roll the time to where the block would have to
// have other bits (stratum.md section 6).
func TestBoundTime(t *testing.T) {
	const tip = 1_800_000_000
	tests := []struct {
		name     string
		time     uint32
		err      error
		min, max uint32
	}{
		{"soon after the tip", tip + 30, nil, tip - 600, tip + 1200},
		{"last second", tip + 1200, nil, tip - 600, tip + 1200},
		{"late", tip + 1201, nil, tip + 1201, 0},
		{"node away", tip + 30, errors.New("away"), tip - 600, 0},
	}
	for _, test := range tests {
		p := &Pool{Config: Config{Network: "testnet4", Node: tipNode{time: tip, err: test.err}, Logger: slog.New(slog.DiscardHandler)}}
		job := &work.Job{Time: test.time, MinTime: tip - 600}
		p.boundTime(t.Context(), job)
		if job.MinTime != test.min || job.MaxTime != test.max {
			t.Errorf("%s: times %d to %d, want %d to %d", test.name, job.MinTime, job.MaxTime, test.min, test.max)
		}
	}
}
