package stratum

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// byAddress lets everybody in, with a script made of the address.
func byAddress() *fakeBackend {
	return &fakeBackend{authorize: func(username string) (Worker, error) {
		address, name, _ := strings.Cut(username, ".")
		return Worker{Address: address, Name: name, Script: []byte(address)}, nil
	}}
}

// payWorker is a LayOut whose coinbase pays the worker's script.
func payWorker(job *work.Job, id uint32, w Worker) (*work.Job, error) {
	if w.Address == "refused" {
		return nil, errors.New("no job for this one")
	}
	return job.With(id, work.Layout{Tag: "/own/", Outputs: []work.Output{{Script: w.Script, Value: job.Value}}})
}

const notifyMethod = `"method":"mining.notify"`

// join connects a miner under a name and returns it with its first lines.
func (w *world) join(agent, username string) (*miner, []string) {
	w.Helper()
	m := w.connect()
	m.send(subscribeLine(agent) + strings.Replace(authorizeLine, "addr.rig", username, 1))
	return m, m.received()
}

// coinbase2 returns the second part of the coinbase of the job line among some.
func coinbase2(t *testing.T, lines []string) []byte {
	t.Helper()
	for _, line := range slices.Backward(lines) {
		m, err := ParseMessage([]byte(line))
		if err == nil && m.Method == "mining.notify" {
			n, err := ParseNotify(m.Params)
			if err != nil {
				t.Fatal(err)
			}
			return n.Coinbase2
		}
	}
	t.Fatalf("no job in %q", lines)
	return nil
}

func TestOwnCoinbase(t *testing.T) {
	backend := byAddress()
	inWorld(t, Config{OneAddress: true}, backend, func(w *world) {
		base := w.job(1, hard)
		w.server.PublishOwn(base, payWorker, true)
		alice, first := w.join("NerdMinerV2", "alice.x")
		if !bytes.Contains(coinbase2(w.T, first), []byte("alice")) {
			t.Error("alice's coinbase does not pay her")
		}
		_, lines := w.join("bitaxe", "bob.x")
		if got := coinbase2(w.T, lines); !bytes.Contains(got, []byte("bob")) || bytes.Contains(got, []byte("alice")) {
			t.Errorf("bob's coinbase is %q", got)
		}
		_, lines = w.join("bitaxe", "refused.x")
		if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, notifyMethod) }) {
			t.Errorf("a job that could not be made was sent: %q", lines)
		}

		// The same content stands in the job that the pool gets with the share.
		s := w.sessionOf("alice")
		job := s.state.last()
		alice.send(strings.Replace(submitLine(job, solve(t, s.extranonce1, job, share(0.0005))), "addr.rig", "alice.x", 1) + "\n")
		alice.received()
		if got := backend.lastAccepted(t).Job; got != job || string(got.Layout.Outputs[0].Script) != "alice" {
			t.Errorf("the share's job pays %q", got.Layout.Outputs[0].Script)
		}

		// A new number for the same work, as for a sign of life, keeps the payee.
		w.server.rules().KeepAlive = time.Second
		w.server.keepAlive(time.Now().Add(time.Minute))
		if got := coinbase2(w.T, alice.received()); !bytes.Contains(got, []byte("alice")) {
			t.Errorf("the repeated job pays %q", got)
		}

		if got := alice.ask(`{"id":9,"method":"mining.authorize","params":["bob.y","x"]}`); !strings.Contains(got, "One address per connection") {
			t.Errorf("a second address is answered by %s", got)
		}
		if got := alice.ask(`{"id":9,"method":"mining.authorize","params":["alice.y","x"]}`); !strings.Contains(got, "true") {
			t.Errorf("a second name of the address is answered by %s", got)
		}
	})
}

// sessionOf returns the session whose first worker has an address.
func (w *world) sessionOf(address string) *session {
	w.Helper()
	for _, s := range w.server.live() {
		if s.state.names[0].worker.Address == address {
			return s
		}
	}
	w.Fatalf("no session of %s", address)
	return nil
}

// Sessions of one account share a job and its lines.
func TestOwnJobsAreShared(t *testing.T) {
	made := 0
	server := NewServer(Config{}, &fakeBackend{})
	n := newNotice(newJob(t, server, 1, hard), func(job *work.Job, id uint32, w Worker) (*work.Job, error) {
		made++
		return payWorker(job, id, w)
	})
	alice := Worker{Script: []byte("alice")}
	first, err := n.of(alice, server.NextJobID)
	again, _ := n.of(alice, server.NextJobID)
	other, _ := n.of(Worker{Script: []byte("bob")}, server.NextJobID)
	if err != nil || first != again || first == other || made != 2 {
		t.Errorf("%d jobs were made for 2 accounts; %v", made, err)
	}
}

// widen returns a job whose coinbase is 300 bytes larger.
func (w *world) widen(job *work.Job) *work.Job {
	w.Helper()
	wide, err := job.With(w.server.NextJobID(), work.Layout{Outputs: []work.Output{{Script: make([]byte, 300), Value: job.Value}}})
	if err != nil {
		w.Fatal(err)
	}
	return wide
}

// The smallest devices get another job than the others, and have no say in how
// large the coinbase of these is.
func TestCoinbaseRoom(t *testing.T) {
	inWorld(t, Config{}, byAddress(), func(w *world) {
		if got := w.server.CoinbaseRoom(); got != roomUsual {
			t.Errorf("with nobody there is room for %d bytes, want %d", got, roomUsual)
		}
		narrow := w.job(1, hard)
		wide := w.widen(narrow)
		w.server.PublishWide(wide, narrow, true)
		type joined struct {
			*miner
			job *work.Job
		}
		var all []joined
		for i, c := range []struct {
			agent string
			room  int
			job   *work.Job
		}{
			{"NerdMinerV2", roomUsual, narrow},
			{"bitaxe/BM1370", roomMost, wide},
			{"NerdMinerV2", roomMost, narrow},
			{"Antminer S21/49.0.1", roomLarge, wide},
			{"something", roomUsual, wide},
			{"NiceHash/1.0", roomUsual, wide},
			{"NerdMinerV2", roomUsual, narrow},
		} {
			m, lines := w.join(c.agent, fmt.Sprint("a", i))
			if got := w.server.CoinbaseRoom(); got != c.room {
				t.Errorf("with %s there is room for %d bytes, want %d", c.agent, got, c.room)
			}
			if !bytes.Equal(coinbase2(w.T, lines), c.job.Coinbase2) {
				t.Errorf("%s got the other job", c.agent)
			}
			if got := w.sessionOf(fmt.Sprint("a", i)).state.last(); got != c.job {
				t.Errorf("shares of %s count for another job", c.agent)
			}
			all = append(all, joined{m, c.job})
		}

		// So it is with a sign of life, and on the next tip.
		for i, publish := range []func(){
			func() {
				w.server.rules().KeepAlive = time.Second
				w.server.keepAlive(time.Now().Add(time.Minute))
			},
			func() {
				job := w.job(2, hard)
				w.server.PublishWide(w.widen(job), job, false)
			},
		} {
			publish()
			for _, m := range all {
				if got := coinbase2(w.T, m.received()); !bytes.Equal(got, m.job.Coinbase2) {
					t.Errorf("job %d after the first has another coinbase: %x", i, got)
				}
			}
		}
	})
}

// A job that a device cannot hold is not sent to it, if there is no other one,
// however many miners can.
func TestTooWideJobIsNotSent(t *testing.T) {
	inWorld(t, Config{}, byAddress(), func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m, _ := w.join("NerdMinerV2", "a.x")
		other, _ := w.join("bitaxe", "b.x")
		w.server.Publish(w.widen(w.job(2, hard)), true)
		if lines := m.received(); len(lines) > 0 {
			t.Errorf("received %q", lines)
		}
		other.received()

		// The next one fits. For this miner it is the first on the new tip.
		w.server.Publish(w.job(2, hard), false)
		for m, want := range map[*miner]string{m: "job clean=true", other: "job clean=false"} {
			if diff := cmp.Diff([]string{want}, kinds(m.received())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

// Work for a tip that a miner heard of late, because its first job on it could not
// be made, ends the grace for the one before all the same.
func TestMissedTipEndsGrace(t *testing.T) {
	backend := byAddress()
	inWorld(t, Config{}, backend, func(w *world) {
		refused := true
		layOut := func(job *work.Job, id uint32, worker Worker) (*work.Job, error) {
			if refused {
				return nil, errDisk
			}
			return payWorker(job, id, worker)
		}
		w.server.Publish(w.job(1, hard), true)
		m, _ := w.join("cpuminer", "addr.rig")
		old := m.session().state.last()
		w.server.PublishOwn(w.job(2, hard), layOut, true)
		refused = false
		w.server.PublishOwn(w.job(2, hard), layOut, false)
		m.received()
		time.Sleep(w.server.rules().Grace)
		if got := m.ask(m.mine(old, share(0.0005))); !strings.Contains(got, "Stale share") {
			t.Errorf("a share for the old tip is answered by %s", got)
		}
	})
}

// A connection that speaks for several addresses from before that was forbidden
// gets no job that pays the first of them for the work of all.
func TestMixedSessionGetsNoOwnJob(t *testing.T) {
	inWorld(t, Config{}, byAddress(), func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		mixed, _ := w.join("cpuminer", "alice.x")
		if got := mixed.ask(`{"id":9,"method":"mining.authorize","params":["bob.y","x"]}`); !strings.Contains(got, "true") {
			t.Fatalf("the second address: %s", got)
		}
		single, _ := w.join("cpuminer", "carol.x")
		single.send(`{"id":9,"method":"mining.authorize","params":["carol.y","x"]}` + "\n")
		single.received()
		w.server.Apply(Config{OneAddress: true})
		w.server.PublishOwn(w.job(1, hard), payWorker, false)
		if lines := single.received(); !bytes.Contains(coinbase2(w.T, lines), []byte("carol")) {
			t.Errorf("one address with two names gets %q", lines)
		}
		if !mixed.closed() {
			t.Error("a session of two addresses goes on")
		}
	})
}

// BenchmarkPublishOwn hands 1000 sessions of as many accounts a job of their own
// each, with the branches and transactions of a full block.
func BenchmarkPublishOwn(b *testing.B) {
	backend := byAddress()
	server := NewServer(Config{SubmitRate: 1e9}, backend)
	job := newJob(b, server, 1, hard)
	job.Branches = make([]chainhash.Hash, 12)
	server.PublishOwn(job, payWorker, true)
	var sessions []*session
	for i := range 1000 {
		hello := subscribeLine("cpuminer") + strings.Replace(authorizeLine, "addr", fmt.Sprintf("address-%d", i), 1)
		s := bare(server, net.Conn(&script{segments: []string{hello}}), uint32(i))
		if err := s.read(b.Context()); !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		server.PublishOwn(job.WithID(server.NextJobID(), job.Time), payWorker, true)
		for _, s := range sessions {
			s.state.issued = s.state.issued[:0]
		}
	}
}
