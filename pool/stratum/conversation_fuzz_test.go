package stratum_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/stratum/minersim"
	"github.com/dmpool/dmpool/pool/work"
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
	c.flush()
	c.listen()
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

// listen takes in what the pool has said.
func (c *conversation) listen() {
	synctest.Wait()
	c.mu.Lock()
	text := string(c.heard)
	c.heard = nil
	c.mu.Unlock()
	if text != "" && !strings.HasSuffix(text, "\n") {
		c.t.Fatalf("a line without an end: %q", text)
	}
	for line := range strings.Lines(text) {
		c.hear(line)
	}
}

func (c *conversation) hear(line string) {
	var m struct {
		ID, Params, Result json.RawMessage
		Error              []json.RawMessage
		Method             *string
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		c.t.Fatalf("%q: %v", line, err)
	}
	if c.announced != 0 && (m.Method == nil || *m.Method != "mining.notify") {
		c.t.Fatalf("a difficulty, and then %s", line)
	}
	if m.Method == nil {
		c.hearAnswer(line, string(m.ID), m.Result, m.Error)
		return
	}
	switch *m.Method {
	case "mining.set_difficulty":
		var list []float64
		if err := json.Unmarshal(m.Params, &list); err != nil || len(list) != 1 || !(list[0] > 0) {
			c.t.Fatalf("%s", line)
		}
		c.announced = list[0]
		c.books.announce(list[0])
	case "mining.notify":
		job, err := minersim.ParseJob(m.Params)
		if err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		switch {
		case !c.subscribed || !c.authorized:
			c.t.Fatal("a job before the handshake")
		case slices.ContainsFunc(c.jobs, func(j issued) bool { return j.ID == job.ID }):
			c.t.Fatalf("job %s comes twice", job.ID)
		case len(c.jobs) > 0 && c.jobs[len(c.jobs)-1].PrevHash != job.PrevHash && !job.Clean:
			c.t.Fatal("another tip without clean_jobs")
		}
		if c.announced != 0 {
			c.current, c.announced = c.announced, 0
		}
		if c.current == 0 {
			c.t.Fatal("a job without a difficulty")
		}
		c.jobs = append(c.jobs, issued{job, c.current})
	case "client.reconnect", "client.show_message":
	default:
		c.t.Fatalf("unexpected %s", line)
	}
}

func (c *conversation) hearAnswer(line, id string, result json.RawMessage, fault []json.RawMessage) {
	if len(c.owed) == 0 {
		c.t.Fatalf("an answer to nothing: %s", line)
	}
	asked := c.owed[0]
	c.owed = c.owed[1:]
	code := 0
	if fault != nil {
		if len(fault) != 3 || json.Unmarshal(fault[0], &code) != nil || string(result) != "null" {
			c.t.Fatalf("error of another shape: %s", line)
		}
	}
	if id != asked.id || !slices.Contains(asked.codes, code) {
		c.t.Fatalf("%s with id %s answered by %s want one of %v", asked.what, asked.id, line, asked.codes)
	}
	switch {
	case code != 0:
	case asked.what == "mining.submit":
		c.credited++
	case asked.what == "mining.subscribe":
		var list []json.RawMessage
		var first string
		if json.Unmarshal(result, &list) != nil || len(list) != 3 || json.Unmarshal(list[1], &first) != nil {
			c.t.Fatalf("%s", line)
		}
		if c.extranonce1 != "" && c.extranonce1 != first {
			c.t.Fatalf("extranonce1 %s after %s", first, c.extranonce1)
		}
		c.extranonce1 = first
	}
}

// verdict is what has to be true at the end.
func (c *conversation) verdict() {
	elapsed := time.Since(c.begun)
	mayLeave := c.leaving || c.junk >= 5 || !(c.subscribed && c.authorized) && elapsed >= 30*time.Second || elapsed >= time.Minute
	switch {
	case c.closed() && !mayLeave:
		c.t.Fatalf("the pool hung up after %v", elapsed)
	case !c.closed() && len(c.owed) > 0:
		c.t.Fatalf("%d requests were not answered, the first one %+v", len(c.owed), c.owed[0])
	case !c.closed() && c.subscribed && c.authorized && len(c.jobs) == 0:
		c.t.Fatal("no job after the handshake")
	case !c.closed() && c.credited != len(c.books.shares):
		c.t.Fatalf("%d shares answered with true, %d in the books", c.credited, len(c.books.shares))
	case c.credited > len(c.books.shares):
		c.t.Fatalf("%d shares answered with true, only %d in the books", c.credited, len(c.books.shares))
	}
	for _, s := range c.books.shares {
		at := slices.IndexFunc(c.jobs, func(j issued) bool { return j.ID == fmt.Sprintf("%08x", s.Job.ID) })
		switch {
		case s.Worker.Address != "addr":
			c.t.Fatalf("credited to %+v", s.Worker)
		case at < 0:
			c.t.Fatalf("a share for job %08x, which nobody got", s.Job.ID)
		case s.Difficulty > c.jobs[at].difficulty || !c.books.difficulties[s.Difficulty]:
			c.t.Fatalf("credited %v for a job of %v", s.Difficulty, c.jobs[at].difficulty)
		case !work.AcceptTarget(s.Difficulty).Meets(s.Proof.Hash):
			c.t.Fatalf("hash %v is no share of %v", s.Proof.Hash, s.Difficulty)
		}
	}
}

// publish sends a job on the present tip. Every second hash is a block.
func (c *conversation) publish(clean bool) {
	const bits = 0x207fffff
	target, err := work.TargetFromBits(bits)
	if err != nil {
		c.t.Fatal(err)
	}
	now := uint32(time.Now().Unix())
	template := &work.Template{
		Height: 100, Version: 0x30000000, PrevHash: chainhash.Hash{1, 2, 3, 4, 5: c.tip}, Bits: bits, Target: target,
		CurTime: now, MinTime: now - 600, CoinbaseValue: 50e8, Branches: make([]chainhash.Hash, 2),
	}
	job, err := work.NewJob(template, work.Layout{Tag: "/fuzz/", Outputs: []work.Output{{Script: []byte{0x51}, Value: 50e8}}},
		c.server.NextJobID(), now)
	if err != nil {
		c.t.Fatal(err)
	}
	c.server.Publish(job, clean)
}

// books is a backend that keeps every share, each after a moment.
type books struct {
	mu           sync.Mutex
	shares       []stratum.Share
	difficulties map[float64]bool // that were announced
}

func (b *books) announce(d float64) { b.difficulties[d] = true }

func (b *books) Authorize(_ context.Context, username string) (stratum.Worker, error) {
	switch username {
	case "bad":
		return stratum.Worker{}, &stratum.RefusalError{Reason: "Address is for testnet"}
	case "down":
		return stratum.Worker{}, errors.New("down")
	}
	address, name, _ := strings.Cut(username, ".")
	return stratum.Worker{Address: address, Name: name}, nil
}

func (b *books) Found(stratum.Share) {}

func (b *books) Accepted(_ context.Context, s stratum.Share) (stratum.Commit, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shares = append(b.shares, s)
	return slowDisk{}, nil
}

func (b *books) Rejected(stratum.Worker, string) {}

type slowDisk struct{}

func (slowDisk) Wait(context.Context) error {
	time.Sleep(3 * time.Millisecond)
	return nil
}

// oneConnection is a listener to which somebody connects once.
type oneConnection struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *oneConnection) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConnection) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneConnection) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
