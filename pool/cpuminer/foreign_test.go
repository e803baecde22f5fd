package cpuminer

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// foreignPool is a pool of somebody else: other sizes of the extranonces, other
// ids of jobs, a proxy's habits.
type foreignPool struct {
	t           *testing.T
	extranonce1 string
	size        int
	conn        net.Conn
	lines       *bufio.Scanner
	seen        map[chainhash.Hash]bool
}

func (p *foreignPool) accept(ln net.Listener) {
	p.t.Helper()
	conn, err := ln.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	p.conn, p.lines = conn, bufio.NewScanner(conn)
	p.t.Cleanup(func() { _ = conn.Close() })
}

func (p *foreignPool) send(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.conn, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

type request struct {
	ID     int      `json:"id"`
	Method string   `json:"method"`
	Params []string `json:"params"`
}

func (p *foreignPool) next() (r request) {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatal("the miner has gone: ", p.lines.Err())
	}
	if err := json.Unmarshal(p.lines.Bytes(), &r); err != nil {
		p.t.Fatalf("%s: %v", p.lines.Text(), err)
	}
	return r
}

// shakeHands sends the difficulty and a job before the answer to authorize, as
// some pools do.
func (p *foreignPool) shakeHands() {
	p.t.Helper()
	if r := p.next(); r.Method != "mining.subscribe" {
		p.t.Fatalf("first request %+v", r)
	}
	p.send(`{"id":1,"result":[[["mining.notify","x"]],"%s",%d],"error":null}`, p.extranonce1, p.size)
	r := p.next()
	if r.Method != "mining.authorize" || len(r.Params) != 2 || r.Params[0] != "addr.cpu" || r.Params[1] != `"p\` {
		p.t.Fatalf("second request %+v", r)
	}
	p.send(`{"id":null,"method":"mining.set_difficulty","params":[1e-9]}`)
	p.notify("job-α", true)
	p.send(`{"result":true,"id":%d}`, r.ID)
}

const (
	foreignCoinbase1 = "01000000010000"
	foreignCoinbase2 = "ffffffff00"
	foreignBranch    = "0101010101010101010101010101010101010101010101010101010101010101"
	foreignPrev      = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

func (p *foreignPool) notify(id string, clean bool) {
	p.t.Helper()
	p.send(`{"id":null,"method":"mining.notify","params":["%s","%s","%s","%s",["%s"],"20000000","1703255b","6b0330cf",%v]}`,
		id, foreignPrev, foreignCoinbase1, foreignCoinbase2, foreignBranch, clean)
}

// share takes the next share, checks it with code of its own and answers it.
func (p *foreignPool) share() (jobID string) {
	p.t.Helper()
	r := p.next()
	if r.Method != "mining.submit" || len(r.Params) != 5 || len(r.Params[2]) != 2*p.size {
		p.t.Fatalf("submit %+v", r)
	}
	unhex := func(text string) []byte {
		raw, err := hex.DecodeString(text)
		if err != nil {
			p.t.Fatal(err)
		}
		return raw
	}
	coinbase := chainhash.DoubleHashB(unhex(foreignCoinbase1 + p.extranonce1 + r.Params[2] + foreignCoinbase2))
	root := chainhash.DoubleHashB(append(coinbase, unhex(foreignBranch)...))
	header := binary.LittleEndian.AppendUint32(nil, 0x20000000)
	prev := unhex(foreignPrev)
	for i := 0; i < len(prev); i += 4 {
		header = binary.LittleEndian.AppendUint32(header, binary.BigEndian.Uint32(prev[i:]))
	}
	header = append(header, root...)
	for _, field := range []string{r.Params[3], "1703255b", r.Params[4]} {
		header = binary.LittleEndian.AppendUint32(header, binary.BigEndian.Uint32(unhex(field)))
	}
	hash := chainhash.DoubleHashH(header)
	if !work.TargetFromDifficulty(1e-9).Meets(hash) {
		p.t.Errorf("share %v has hash %v", r.Params, hash)
	}
	if p.seen[hash] {
		p.t.Errorf("share %v came twice", r.Params)
	}
	p.seen[hash] = true
	if len(p.seen)%2 == 0 {
		p.send(`{"id":%d,"result":null,"error":[23,"Low difficulty share",null]}`, r.ID)
	} else {
		p.send(`{"id":%d,"result":true,"error":null}`, r.ID)
	}
	return r.Params[1]
}

func TestMineForForeignPool(t *testing.T) {
	for _, size := range []int{0, 1, 3, 11} {
		t.Run(fmt.Sprint("extranonce2 of ", size), func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			defer func() { _ = ln.Close() }()
			pool := &foreignPool{t: t, extranonce1: "0102030405", size: size, seen: make(map[chainhash.Hash]bool)}
			reasons := make(chan string, 1000)
			m, err := New(Config{
				URL: ln.Addr().String(), User: "addr.cpu", Password: `"p\`, Threads: 2, MaxHashrate: 2000,
				OnShare: func(_ bool, reason string) { reasons <- reason },
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ran := make(chan error, 1)
			go func() { ran <- m.Run(ctx) }()

			pool.accept(ln)
			pool.shakeHands()
			for range 20 {
				if id := pool.share(); id != "job-α" {
					t.Errorf("share for job %q", id)
				}
			}
			if got := <-reasons; got != "" {
				t.Errorf("first share: %q", got)
			}
			if got := <-reasons; got != "Low difficulty share" {
				t.Errorf("second share: %q", got)
			}

			// The same work again, under another number.
			pool.notify("again", true)
			for pool.share() != "again" {
			}
			for range 20 {
				if id := pool.share(); id != "again" {
					t.Errorf("share for job %q after a clean one", id)
				}
			}

			// And once more, after a lost connection, with the same extranonce1.
			_ = pool.conn.Close()
			pool.accept(ln)
			pool.shakeHands()
			for range 20 {
				pool.share()
			}
			if stats := m.Stats(); stats.Accepted < 10 || stats.Rejected < 10 {
				t.Errorf("stats %+v", stats)
			}
			stop()
			if err := <-ran; err != nil {
				t.Errorf("Run = %v", err)
			}
			_, _ = io.Copy(io.Discard, pool.conn)
		})
	}
}
