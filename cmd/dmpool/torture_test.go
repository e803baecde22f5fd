//go:build torture

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/node/nodetest"
)

const (
	tortureMiners   = 24
	tortureAccounts = 5
	sharesPerBlock  = 300  // one share in so many is meant to be a block
	cheap           = 1e-6 // a difficulty below this takes a few hashes
	hardBits        = 0x1d00ffff
)

// torture kills a pool again and again and remembers what it promised.
//
// On a chain as easy as regtest's every share would be a block, and a pool asks
// for no less than 40 000 hashes a share on any other. So the chain here is like
// testnet, whose difficulty depends on the block: odd heights are hard, even
// ones easy. A share counts at the lower of its job's difficulty and the
// session's present one (stratum.md, rule 5). As soon as the miners have a hard
// job a stranger mines that block; with the easy job that follows, two hashes
// make a share of the hard one, which is no block, and two a block of the easy one.
type torture struct {
	t        *testing.T
	node     *nodetest.Node
	answered atomic.Int64 // shares, with true
	round    atomic.Int64
	spooled  int // kills that left a spool behind

	mu      sync.Mutex
	sight   map[chainhash.Hash]int // how many miners have seen a hard job on this tip
	rejects map[string]int         // by their text
}

// TestTorture starts a pool, mines on it with pipelining miners, kills it at a
// random moment, starts it on the same files, and so on. In the end every share
// that was answered true must be stored exactly once, in the order in which its
// miner sent it, every block that was found must be in the ledger, and the
// books must balance. ROUNDS is the number of kills, SEED repeats their plan.
func TestTorture(t *testing.T) {
	rounds, seed := number(t, "ROUNDS", 12), number(t, "SEED", time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	t.Logf("seed %d", seed)

	bench := &torture{t: t, node: nodetest.New(t), sight: map[chainhash.Hash]int{}, rejects: map[string]int{}}
	box := victimConfig{Dir: t.TempDir(), URL: testnetLike(t, bench.node), Cookie: bench.node.CookieFile}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	inherited, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()

	var group sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	miners := bench.miners(uint64(seed))
	for _, m := range miners {
		group.Go(func() { m.run(ctx, ln.Addr().String()) })
	}

	start := time.Now()
	for range rounds {
		bench.kill(rng, box, inherited)
	}
	elapsed := time.Since(start)

	// Once more, with a calm end, so that what a crash left behind is finished.
	bench.prepare()
	last := startVictim(t, box, inherited)
	if !bench.mineOn(100, 20*time.Second) {
		t.Errorf("the last pool does not answer\n%s", last.log)
	}
	stop()
	group.Wait()
	last.stop(t)

	result := bench.compare(box.Dir, miners)
	t.Logf("torture: %d rounds, %d answered, %d stored, %d lost, %d doubled, %d blocks, %d spools; seed %d, %.2f s a round, rejected %v",
		rounds, result.answered, result.stored, result.lost, result.doubled, result.blocks, bench.spooled,
		seed, elapsed.Seconds()/float64(rounds), bench.rejects)
}

func number(t *testing.T, variable string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *torture) miners(seed uint64) []*tortureMiner {
	miners := make([]*tortureMiner, tortureMiners)
	for i := range miners {
		worker := fmt.Sprintf("m%d", i)
		miners[i] = &tortureMiner{
			bench:    b,
			worker:   worker,
			username: tortureAddress(i%tortureAccounts) + "." + worker,
			rng:      rand.New(rand.NewPCG(seed, uint64(i)+1)),
			shares:   map[float64]*record{},
			waiting:  map[int]*record{},
		}
	}
	return miners
}

// tortureAddress returns the address of account i.
func tortureAddress(i int) string {
	program := bytes.Repeat([]byte{byte(i + 1)}, 20)
	a, err := address.NewAddressWitnessPubKeyHash(program, &chaincfg.RegressionNetParams)
	if err != nil {
		panic(err) // the program has the right size
	}
	return a.EncodeAddress()
}

// kill is one round. One pool in eight dies while it starts, the others after
// some answers; every sixth of them has a full disk, and must use its spool.
func (b *torture) kill(rng *rand.Rand, box victimConfig, ln *os.File) {
	early, full := rng.IntN(8) == 0, rng.IntN(6) == 0
	if full {
		// The spool, which begins small, is below the limit where the database's log is not.
		box.FileLimit = uint64(fileSize(spoolPath(box.Dir)) + 512<<10 + rng.Int64N(1<<20))
	}
	b.prepare()
	v := startVictim(b.t, box, ln)
	switch count := 1 + rng.Int64N(600); {
	case early:
		time.Sleep(time.Duration(rng.Int64N(int64(200 * time.Millisecond))))
	case full:
		b.mineOn(count, time.Second) // it may promise as little as it likes
	case !b.mineOn(count, 20*time.Second):
		b.complain("round %d: %d answers did not come in time\n%s", b.now(), count, v.stacks(b.t))
		b.round.Add(1)
		return
	}
	time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Millisecond))))
	v.kill(b.t)
	b.round.Add(1)
	if fileSize(spoolPath(box.Dir)) > 0 {
		b.spooled++
	}
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // there is none
	}
	return info.Size()
}

// prepare makes the next job a hard one.
func (b *torture) prepare() {
	if _, height := b.node.Tip(); height%2 == 1 {
		b.node.Mine(1)
	}
}

// mineOn waits until so many more shares are answered, and reports whether that
// happened in time.
func (b *torture) mineOn(count int64, patience time.Duration) bool {
	until, deadline := b.answered.Load()+count, time.Now().Add(patience)
	for b.answered.Load() < until {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

// hardSeen counts a miner that works on a hard job. A stranger finds that block
// when half of them do.
func (b *torture) hardSeen(tip chainhash.Hash) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sight[tip]++
	if now, _ := b.node.Tip(); now == tip && b.sight[tip] >= tortureMiners/2 {
		delete(b.sight, tip)
		b.node.Mine(1)
	}
}

func (b *torture) reject(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rejects[text]++
}

func (b *torture) now() int { return int(b.round.Load()) }

// complain fails the test from any goroutine and lets it go on.
func (b *torture) complain(format string, args ...any) {
	b.t.Helper()
	b.t.Errorf(format, args...)
}
