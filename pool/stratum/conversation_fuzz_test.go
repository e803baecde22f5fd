package stratum_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

// FuzzConversation makes a conversation of each input, byte by byte: every line
// is something that some firmware says, but in any order, at any time, with any
// id, while jobs come and tips change. Whatever happens, each request is
// answered once and in its turn, no job comes before the handshake, a
// difficulty has its job directly behind it, and nothing is credited to nobody.
func FuzzConversation(f *testing.F) {
	for _, seed := range []string{
		"csa" + "v" + "v1" + "r", // cgminer, two shares
		"scapxvvv",               // ESP-Miner
		"s|a|pvPvTvOvG",          // everything about shares, and new tips
		"as||vnnTTv",             // authorised before it subscribes
		"tsxa|g|v",               // BFGMiner
		"vs|v|a|vd|",             // shares before their time
		"jjjjj", "jsjaj|m",
		"sa|Zv|R|zvTzv", // silence, pause, later shares
		"b|sa|B|A|DvDv", // refused names, other names
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) {
			c := newConversation(t, script[:min(len(script), 80)])
			defer c.end()
			for len(c.script) > 0 && !c.closed() {
				c.step()
			}
			c.flush()
			time.Sleep(time.Second)
			c.listen()
			c.verdict()
		})
	})
}

// conversation is a miner that says what a script of bytes tells it to, and
// knows what the pool must answer.
type conversation struct {
	t      *testing.T
	script []byte
	server *stratum.Server
	stop   context.CancelFunc
	served chan error
	conn   net.Conn
	begun  time.Time
	tip    byte
	books  books

	mu    sync.Mutex
	heard []byte // and not yet looked at
	over  bool   // the pool has hung up

	said       []string // lines that are not on the wire yet
	lastShare  string   // its params
	nextID     int
	junk       int
	leaving    bool // it said mining.term
	paused     bool
	subscribed bool
	authorized bool
	owed       []owed

	extranonce1 string
	announced   float64 // difficulty whose job must come next
	current     float64
	jobs        []issued
	credited    int // shares that were answered with true
}

// issued is a job as it came.
type issued struct {
	minersim.Job
	difficulty float64
}

// owed is an answer that has to come: an error with one of these codes, or
// success when code 0 is among them.
type owed struct {
	id    string
	what  string
	codes []int
}

func newConversation(t *testing.T, script []byte) *conversation {
	c := &conversation{t: t, script: script, begun: time.Now(), served: make(chan error, 1), nextID: 10}
	c.books.difficulties = map[float64]bool{}
	c.server = stratum.NewServer(stratum.Config{}, &c.books)
	c.publish(true)
	miner, pool := net.Pipe()
	c.conn = miner
	ln := &oneConnection{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	ln.conns <- pool
	ctx, stop := context.WithCancel(t.Context())
	c.stop = stop
	go func() { c.served <- c.server.Serve(ctx, ln) }()
	go c.read()
	return c
}

func (c *conversation) end() {
	_ = c.conn.Close()
	c.stop()
	if err := <-c.served; err != nil {
		c.t.Errorf("Serve = %v", err)
	}
}

func (c *conversation) read() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.conn.Read(buffer)
		c.mu.Lock()
		c.heard = append(c.heard, buffer[:n]...)
		c.over = c.over || err != nil
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *conversation) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// next returns the script's next byte, 0 behind its end.
func (c *conversation) next() byte {
	if len(c.script) == 0 {
		return 0
	}
	b := c.script[0]
	c.script = c.script[1:]
	return b
}

// pick returns one of some texts.
func (c *conversation) pick(texts ...string) string { return texts[int(c.next())%len(texts)] }

// id returns an id for a request, each one once as far as it is a number.
func (c *conversation) id() string {
	c.nextID++
	switch c.next() % 8 {
	case 0:
		return fmt.Sprintf("%q", fmt.Sprintf("txlist%08x", c.nextID))
	case 1:
		return fmt.Sprintf("%d.5", c.nextID)
	case 2:
		return `""`
	default:
		return fmt.Sprint(c.nextID)
	}
}

// step does what the next byte says.
func (c *conversation) step() {
	switch op := c.next(); op {
	case 'c':
		c.ask("mining.configure", c.pick(`[["version-rolling"],{"version-rolling.mask":"ffffffff"}]`,
			`[["version-rolling","minimum-difficulty","x"],{"minimum-difficulty.value":0.5}]`,
			`[["version-rolling"]]`, `[[],{}]`), 0)
	case 'C':
		c.ask("mining.configure", c.pick(`[]`, `{}`, `["version-rolling"]`), 20)
	case 's':
		c.ask("mining.subscribe", c.pick(`[]`, `["bitaxe/BM1370/v2.15.0"]`, `["cgminer/4.11.1","5eed0001"]`,
			`["bosminer",null,"host",3333]`, `[null]`), 0)
		c.subscribed = true
	case 'a':
		c.ask("mining.authorize", c.pick(`["addr.w","x"]`, `["addr.w"]`, `["addr.w",""]`, `["addr.w",null]`,
			`["addr.w","d=1e-9"],"ttl":2`, `["addr.w","x","y"]`), 0)
		c.authorized = true
	case 'A':
		c.ask("mining.authorize", fmt.Sprintf(`["addr.w%d","x"]`, c.next()%8), 0)
		c.authorized = true
	case 'b':
		c.ask("mining.authorize", c.pick(`["bad","x"]`, `[]`, `[""]`, `[5]`, `["down"]`), 24, 20)
	case 'p':
		c.ask("mining.suggest_difficulty", c.pick(`[1000]`, `[0.00015]`, `["512"]`, `[-1]`, `["abc"]`, `[]`, `1`), 0)
	case 'x':
		c.ask("mining.extranonce.subscribe", `[]`, 0)
	case 't':
		c.say(`{"id":null,"method":"mining.suggest_target","params":["00000000ffff"]}`)
	case 'g':
		c.ask(c.pick("mining.get_transactions", "mining.get_txnhashes"), `["00000001"]`, 20)
	case 'm':
		c.ask(c.pick("mining.multi_version", "mining.hashrate", "eth_submitWork"), `[1]`, -3)
	case 'j':
		c.say(c.pick("{bad", `{"id":1,"method":"mining.authorize","params":["a","a"b"]}`))
		c.owed = append(c.owed, owed{"null", "junk", []int{-32700}})
		c.junk++
	case 'n':
		c.say(c.pick("", " \t", `{"id":7,"result":true,"error":null}`, `{"id":1,"method":"pong","params":[]}`, `{"id":null,"result":"pong","error":null}`))
	case 'q':
		c.say(`{"id":1,"method":"mining.term","params":[]}`)
		c.leaving = true
	case 'v', 'o', 'O', 'd', 'u', 'w', 'k':
		c.share(op)
	case 'T':
		c.tip++
		c.publish(true)
	case 'r':
		c.publish(false)
	case 'R':
		c.server.Resume()
		c.paused = false
	case 'P':
		c.server.Pause("fuzz")
		c.paused = true
	case 'z', 'Z':
		c.flush()
		time.Sleep(map[byte]time.Duration{'z': 2 * time.Second, 'Z': 31 * time.Second}[op])
		c.listen()
	default: // a break between two segments, wherever it falls
		c.flush()
		c.listen()
	}
}

// ask says a request that must be answered with one of the codes.
func (c *conversation) ask(method, params string, codes ...int) {
	id := c.id()
	c.say(fmt.Sprintf(`{"id":%s,"method":%q,"params":%s}`, id, method, params))
	c.owed = append(c.owed, owed{id, method, codes})
}

func (c *conversation) say(line string) {
	c.said = append(c.said, line+c.pick("\n", "\r\n", "\n\n"))
}

// flush writes what was said, in two pieces.
func (c *conversation) flush() {
	text := strings.Join(c.said, "")
	c.said = nil
	at := 0
	if len(text) > 0 {
		at = int(c.next()) * 7 % len(text)
	}
	for _, piece := range []string{text[:at], text[at:]} {
		if piece != "" {
			_, _ = c.conn.Write([]byte(piece)) // it may have hung up
		}
		synctest.Wait()
	}
}

// share submits something: a good share (v), one on an old job (o), one on an
// unknown job (u), the last one again (d), a damaged one (w), one under another
// name (k), one of too few params (O).
func (c *conversation) share(op byte) {
	ready := c.subscribed && c.authorized
	if !ready {
		code := 24
		if !c.subscribed {
			code = 25
		}
		c.ask("mining.submit", `["addr.w","00000001","0000000000000000","68d0c2aa","00000000"]`, code)
		return
	}
	if len(c.jobs) == 0 { // otherwise shares come in bursts
		c.flush()
		c.listen()
	}
	if len(c.jobs) == 0 || op == 'u' {
		c.ask("mining.submit", `["addr.w","0badf00d","0000000000000000","68d0c2aa","00000000"]`, 21)
		return
	}
	newest := c.jobs[len(c.jobs)-1]
	user, verdicts := "addr.w", []int{0, 20, 21, 22, 23}
	switch op {
	case 'o':
		newest = c.jobs[int(c.next())%len(c.jobs)]
	case 'k':
		user = "stranger.x"
	case 'd':
		if c.lastShare != "" {
			c.ask("mining.submit", c.lastShare, 20, 21, 22, 23)
			return
		}
	case 'O':
		c.ask("mining.submit", c.pick(`[]`, `["addr.w"]`, `["addr.w",1,2,3,4]`, `{}`, `["addr.w",null,"","",""]`), 20)
		return
	}
	en2 := fmt.Sprintf("%016x", c.nextID)
	fields := []string{user, newest.ID, en2, fmt.Sprintf("%08x", newest.Time), fmt.Sprintf("%08x", c.solve(newest, en2))}
	if op == 'w' {
		fields[2+c.next()%3] = c.pick("", "zz", "0", "               1", "ffffffff", "00000000000000000")
	}
	if c.next()%4 == 3 { // instead of the nonce that was searched for
		fields = append(fields, c.pick("00000000", "1fffe000", "ffffffff", "20000000", "x"))
	}
	params, err := json.Marshal(fields)
	if err != nil {
		c.t.Fatal(err)
	}
	c.lastShare = string(params)
	c.ask("mining.submit", c.lastShare, verdicts...)
}

// solve finds a nonce with a parser and hashing that are not the server's.
func (c *conversation) solve(j issued, en2 string) (nonce uint32) {
	for ; nonce < 1000; nonce++ {
		achieved, err := j.Difficulty(c.extranonce1+en2, j.Version, j.Time, nonce)
		if err != nil {
			c.t.Fatal(err)
		}
		if achieved >= j.difficulty {
			break
		}
	}
	return nonce
}
