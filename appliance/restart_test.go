package appliance

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

const rowAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

// "row 62" of the specification (stratum.md section 8): a mining process is
// stopped and started again by a service manager that keeps the sockets. Nobody
// is refused while there is no process, and everybody goes on with the
// extranonce1 that it had. That the difficulty is at least half of what it was
// shows pool/stratum: TestRowsRestart, on a network that is not as easy as this
// one.
func TestRowsSocketActivation(t *testing.T) {
	if os.Getenv("LISTEN_FDS") != "" {
		mineOnInherited(t)
		return
	}
	t.Run("row 62 restart with 50 miners", func(t *testing.T) {
		const miners = 50
		m := newManager(t)
		stop := m.start()
		before := make([]*espMiner, miners)
		for i := range before {
			before[i] = m.connect(i, "")
			before[i].work(t)
		}
		stop()
		start := time.Now()
		after := make([]*espMiner, miners)
		for i, miner := range before {
			miner.awaitEnd()
			after[i] = m.connect(i, miner.sid) // there is no process now
		}
		stop = m.start()
		var group sync.WaitGroup
		for i, miner := range after {
			group.Go(func() {
				miner.work(t)
				if miner.sid != before[i].sid || miner.difficulty > before[i].difficulty || miner.difficulty < before[i].difficulty/2 {
					t.Errorf("miner %d: session %s at %g, had %s at %g", i, miner.sid, miner.difficulty, before[i].sid, before[i].difficulty)
				}
			})
		}
		group.Wait()
		t.Logf("%d miners have work again after %v", miners, time.Since(start))
		stop()
	})
}

// manager holds the socket as a service manager does, and a node.
type manager struct {
	t      *testing.T
	node   *nodetest.Node
	dir    string
	addr   string
	socket *os.File
}

func newManager(t *testing.T) *manager {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	m := &manager{t, nodetest.New(t), t.TempDir(), ln.Addr().String(), socket}
	_ = ln.Close() // the socket is still open
	return m
}

// start runs the mining process. To stop it, it gets the signal that a service
// manager sends.
func (m *manager) start() (stop func()) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run '^TestRowsSocketActivation$' -test.v`, os.Args[0])
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=stratum",
		"ROW62_DIR="+m.dir, "ROW62_NODE="+m.node.URL, "ROW62_COOKIE="+m.node.CookieFile)
	cmd.ExtraFiles = []*os.File{m.socket}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "PASS") {
			m.t.Errorf("mining process: %v\n%s", err, out.String())
		}
	}
	m.t.Cleanup(stop)
	return stop
}

// mineOnInherited is the mining process.
func mineOnInherited(t *testing.T) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	sockets, err := InheritSockets()
	if err != nil {
		t.Fatal(err)
	}
	if sockets[stratumSocket] == nil {
		t.Fatalf("sockets %v, want that for miners", sockets)
	}
	dir, log := os.Getenv("ROW62_DIR"), slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shareLog, err := shares.Open(ctx, filepath.Join(dir, "shares.db"), shares.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := shareLog.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, script, err := pool.ParseAddress(rowAddress, "regtest")
	if err != nil {
		t.Fatal(err)
	}
	client := node.New(node.Config{URL: os.Getenv("ROW62_NODE"), CookieFile: os.Getenv("ROW62_COOKIE")})
	defer client.CloseIdle()
	p, err := pool.New(pool.Config{
		Network: "regtest", Maturity: 100, Script: script, Node: client, Source: node.NewSource(client, "", log),
		Shares: shareLog, Ledger: ledger.New(db), Dir: dir, Settings: pool.DefaultSettings("regtest"),
		Listeners: []net.Listener{sockets[stratumSocket]}, Events: &pool.Events{}, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
}

// espMiner sends its handshake at once, like an ESP-Miner that comes back.
type espMiner struct {
	conn       net.Conn
	lines      *bufio.Reader
	sid        string
	difficulty float64
}

func (m *manager) connect(i int, sid string) *espMiner {
	m.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(m.t.Context(), "tcp", m.addr)
	if err != nil {
		m.t.Fatal("refused: ", err)
	}
	m.t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, `{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}`+"\n"+
		`{"id":2,"method":"mining.subscribe","params":["bitaxe/BM1370/v2.15","%s"]}`+"\n"+
		`{"id":3,"method":"mining.authorize","params":["%s.%d","x"]}`+"\n", sid, rowAddress, i)
	return &espMiner{conn: conn, lines: bufio.NewReader(conn)}
}

// work reads up to the first job.
func (e *espMiner) work(t *testing.T) {
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			t.Errorf("waits for a job: %v", err)
			return
		}
		switch {
		case strings.Contains(line, `"id":2,`):
			e.sid = strings.Split(line, `"`)[7]
		case strings.Contains(line, `"mining.set_difficulty","params"`):
			text := line[strings.LastIndexByte(line, '[')+1 : strings.IndexByte(line, ']')]
			if e.difficulty, err = strconv.ParseFloat(text, 64); err != nil {
				t.Error(err)
			}
		case strings.Contains(line, `"mining.notify","params"`):
			return
		}
	}
}

// awaitEnd reads until the pool has closed the connection.
func (e *espMiner) awaitEnd() {
	for {
		if _, err := e.lines.ReadString('\n'); err != nil {
			_ = e.conn.Close()
			return
		}
	}
}
