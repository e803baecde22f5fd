package pool

import (
	"testing"

	"github.com/dmpool/dmpool/pool/work"
)

// The block that the pool began with was no news; the next one is, and says how it
// became known and how long it took to the miners.
func TestNotice(t *testing.T) {
	b := newBench(t)
	b.eventually("there are jobs", func() bool { return b.pool.Status().Serving })
	if n := b.pool.Status().Notice; n != (Notice{}) {
		t.Errorf("before any block: %+v", n)
	}
	k := b.join("")
	b.node.Mine(1)
	for k.next(t).Method != "mining.notify" {
	}
	b.eventually("the block and its way are known", func() bool {
		n := b.pool.Status().Notice
		return n.First != "" && n.Ready > 0 && n.Sent >= n.Ready && !n.ZMQ
	})
}

// Fees are those of the template's transactions.
func TestFeesOf(t *testing.T) {
	if got := feesOf(&work.Template{CoinbaseValue: 50, Txs: []work.Tx{{Fee: 3}, {Fee: 4}}}); got != 7 {
		t.Errorf("%d sats", got)
	}
}
