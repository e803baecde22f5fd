package pool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// kept is a miner that keeps its shares while the pool is away.
type kept struct {
	*bufio.Reader
	net.Conn
	sid string
	job uint32
}

// join lets a miner in that asks for the session sid, and waits for its first
// job.
func (b *bench) join(sid string) *kept {
	b.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", b.pool.Listeners[0].Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	k := &kept{Reader: bufio.NewReader(conn), Conn: conn}
	fmt.Fprintf(conn, `{"id":1,"method":"mining.subscribe","params":["cgminer/4.11.1","%s"]}`+"\n"+
		`{"id":2,"method":"mining.authorize","params":["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig"]}`+"\n", sid)
	for k.sid == "" || k.job == 0 {
		m := k.next(b.t)
		switch {
		case string(m.ID) == "1":
			k.sid = strings.Split(string(m.Result), `"`)[3]
		case m.Method == "mining.notify":
			n, err := stratum.ParseNotify(m.Params)
			if err != nil {
				b.t.Fatal(err)
			}
			id, err := strconv.ParseUint(n.JobID, 16, 32)
			if err != nil {
				b.t.Fatal(err)
			}
			k.job = uint32(id)
		}
	}
	return k
}

func (k *kept) next(t *testing.T) stratum.Message {
	t.Helper()
	line, err := k.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	m, err := stratum.ParseMessage(line)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// submit sends a solution and returns what is wrong with it.
func (k *kept) submit(t *testing.T, s work.Solution) string {
	t.Helper()
	fmt.Fprintf(k, `{"id":9,"method":"mining.submit","params":["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig","%08x","%x","%08x","%08x"]}`+"\n",
		k.job, s.Extranonce[work.Extranonce1Size:], s.Time, s.Nonce)
	for {
		if m := k.next(t); string(m.ID) == "9" {
			return stratum.ErrorText(m.Error)
		}
	}
}

// A miner finds a block while the pool restarts in order, and sends it when it
// has taken its session up again. The template of that job is gone at the node,
// as other transactions have come; the block is won all the same.
func TestBlockFoundDuringRestart(t *testing.T) {
	b := newBench(t)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 7}, []byte{0x51}, nil))
	tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	restart := func() { // with another transaction in the node's templates
		b.stop()
		tx.TxOut[0].Value++
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		b.node.AddTx(raw.Bytes(), 1000)
		b.start()
	}
	restart()
	var job *work.Job
	b.eventually("a job with the transaction", func() bool {
		job = b.pool.serving.Load().job
		return job != nil && len(job.Template().Txs) == 1
	})
	k := b.join("")
	if k.job != job.ID {
		t.Fatalf("miner has job %08x, the pool %08x", k.job, job.ID)
	}
	s := work.Solution{Version: job.Version, Time: job.Time}
	if _, err := fmt.Sscanf(k.sid, "%02x%02x%02x%02x", &s.Extranonce[0], &s.Extranonce[1], &s.Extranonce[2], &s.Extranonce[3]); err != nil {
		t.Fatal(err)
	}
	for !job.Prove(s).Block {
		s.Nonce++
	}
	hash := job.Prove(s).Hash

	restart()
	again := b.join(k.sid)
	if again.sid != k.sid {
		t.Fatalf("session %s resumed as %s", k.sid, again.sid)
	}
	again.job = k.job
	if got := again.submit(t, s); got != "" {
		t.Errorf("block answered by %q", got)
	}
	b.awaitState(hash, ledger.StateAccepted)
	if tip, _ := b.node.Tip(); tip != hash {
		t.Errorf("the node's tip is %s, want the block %s", tip, hash)
	}
}

// The file with the held jobs is used once, and not at all when it is damaged.
func TestHeldFile(t *testing.T) {
	f := heldFile{t.TempDir()}
	if h, err := f.take(); err != nil || h.LastJob != 0 {
		t.Errorf("no file: %+v, %v", h, err)
	}
	if err := f.write(stratum.Held{LastJob: 7}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.path())
	if err != nil {
		t.Fatal(err)
	}
	if h, err := f.take(); err != nil || h.LastJob != 7 {
		t.Errorf("whole file: %+v, %v", h, err)
	}
	tests := map[string][]byte{
		"empty":     {},
		"cut":       whole[:len(whole)-5],
		"one digit": bytes.Replace(whole, []byte(":7"), []byte(":8"), 1),
		"no JSON":   []byte("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"),
	}
	for name, text := range tests {
		if err := os.WriteFile(f.path(), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if h, err := f.take(); err == nil || h.LastJob != 0 {
			t.Errorf("%s: %+v, %v, want an error", name, h, err)
		}
		if _, err := os.Stat(f.path()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the file is still there: %v", name, err)
		}
	}
	if err := os.WriteFile(f.path(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(f.path(), 2*maxHeldFile); err != nil {
		t.Fatal(err)
	}
	if _, err := f.take(); err == nil {
		t.Error("a file of that size is read")
	}
	// What cannot be removed would be used twice.
	if err := os.MkdirAll(filepath.Join(f.path(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := f.take(); err == nil {
		t.Error("a file that stays is used")
	}
}
