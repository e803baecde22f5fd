package stratum

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/work"
)

// A miner that stops reading delays nobody and is dropped.
func TestSlowReader(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		slow := w.dial()
		if _, err := slow.Write([]byte(subscribeLine("slow") + authorizeLine)); err != nil {
			t.Fatal(err)
		}
		quick := w.connect()
		quick.send(subscribeLine("quick") + authorizeLine)
		quick.received()

		start := time.Now()
		for range 5 {
			w.server.Publish(w.job(1, hard), false)
			if diff := cmp.Diff([]string{"job clean=false"}, kinds(quick.received())); diff != "" {
				t.Errorf("the other miner (-want +got):\n%s", diff)
			}
		}
		if !time.Now().Equal(start) {
			t.Errorf("publishing took %v", time.Since(start))
		}
		if n := len(w.server.Sessions()); n != 2 {
			t.Errorf("%d sessions, want 2", n)
		}
		time.Sleep(writeTime + time.Second)
		synctest.Wait()
		if infos := w.server.Sessions(); len(infos) != 1 || infos[0].UserAgent != "quick" {
			t.Errorf("sessions after the write timed out: %v", infos)
		}
		_ = slow.Close()
	})
}

func TestKeepAlive(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.connect()
		m.send(subscribeLine("x") + `{"id":2,"method":"mining.authorize","params":["addr","d=1"]}` + "\n")
		first := m.received()
		w.server.Pause("node is away")
		time.Sleep(45 * time.Second)
		again := m.received()
		if diff := cmp.Diff([]string{"job clean=false"}, kinds(again)); diff != "" {
			t.Fatalf("while paused (-want +got):\n%s", diff)
		}
		before, after := parseJob(t, first[len(first)-1]), parseJob(t, again[0])
		if before.JobID == after.JobID || cmp.Equal(before.Coinbase1, after.Coinbase1) {
			t.Error("the job that was sent again has the same number or content")
		}
		if after.Time <= before.Time {
			t.Errorf("time %d after %d", after.Time, before.Time)
		}

		w.server.Resume()
		for range 10 { // the pool publishes again
			time.Sleep(30 * time.Second)
			w.server.Publish(w.job(1, hard), false)
			if n := len(m.received()); n != 1 {
				t.Errorf("%d lines for one job", n)
			}
		}
	})
}

func TestKeepAliveFixedTime(t *testing.T) {
	inWorld(t, Config{FixedTime: true}, &fakeBackend{}, func(w *world) {
		job := w.job(1, hard)
		w.server.Publish(job, true)
		m := w.ready("x")
		w.server.Pause("node is away")
		time.Sleep(45 * time.Second)
		lines := m.received()
		if len(lines) == 0 {
			t.Fatal("nothing received")
		}
		if got := parseJob(t, lines[len(lines)-1]).Time; got != job.Time {
			t.Errorf("time %d, want %d", got, job.Time)
		}
	})
}

func parseJob(t *testing.T, line string) Notify {
	t.Helper()
	m, err := ParseMessage([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	n, err := ParseNotify(m.Params)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPauseSendsMinersAway(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.ready("x")
		w.server.Pause("node is away")
		time.Sleep(170 * time.Second)
		w.server.Pause("node is still away")
		if m.closed() {
			t.Error("closed too early")
		}
		time.Sleep(30 * time.Second)
		if !m.closed() {
			t.Error("the session goes on without a node")
		}
		if late := w.connect(); !late.closed() {
			t.Error("a new miner is let in without a node")
		}
		w.server.Resume()
		if back := w.connect(); back.closed() {
			t.Error("a new miner is not let in after the pause")
		}
	})
}

// A node that catches up after a day may need hours. Nobody is sent away, new
// miners are let in, and a pause that follows has its own time.
func TestIdleKeepsMiners(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.ready("x")
		w.server.Idle("node catches up")
		time.Sleep(3 * time.Hour)
		if m.closed() {
			t.Error("a miner was sent away")
		}
		if late := w.connect(); late.closed() {
			t.Error("a new miner is not let in")
		}
		w.server.Pause("node is away")
		time.Sleep(170 * time.Second)
		if m.closed() {
			t.Error("the idle time counts as a pause")
		}
		time.Sleep(30 * time.Second)
		if !m.closed() {
			t.Error("the session goes on without a node")
		}
	})
}

func TestSilentMinerGetsEasierJobs(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.ready("x")
		ids := make(map[string]bool)
		var difficulties []string
		for range 40 {
			time.Sleep(10 * time.Second)
			for _, line := range m.received() {
				if kind := kind(line); strings.HasPrefix(kind, "difficulty") {
					difficulties = append(difficulties, kind)
					continue
				}
				n := parseJob(t, line)
				if ids[n.JobID] || n.Clean {
					t.Errorf("job %s again, or clean: %v", n.JobID, n.Clean)
				}
				ids[n.JobID] = true
			}
		}
		want := []string{"difficulty 260", "difficulty 65", "difficulty 16", "difficulty 4", "difficulty 1", "difficulty 0.25"}
		if diff := cmp.Diff(want, difficulties); diff != "" {
			t.Errorf("difficulties (-want +got):\n%s", diff)
		}
	})
}

// A network whose difficulty falls below the session's takes it along.
func TestDifficultyFollowsNetwork(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.ready("bitaxe")
		m.received()
		for _, test := range []struct {
			bits uint32
			want []string
		}{
			{0x1d00ffff, []string{"difficulty 1", "job clean=false"}},
			{0x1d00ffff, []string{"job clean=false"}},
			{easy, []string{"difficulty 0.0000000004656542373906924", "job clean=false"}},
			{hard, []string{"difficulty 512", "job clean=false"}},
		} {
			w.server.Publish(w.job(1, test.bits), false)
			if diff := cmp.Diff(test.want, kinds(m.received())); diff != "" {
				t.Errorf("bits %08x (-want +got):\n%s", test.bits, diff)
			}
		}
	})
}

func TestMaxSessions(t *testing.T) {
	inWorld(t, Config{MaxSessions: 2}, &fakeBackend{}, func(w *world) {
		first, second, third := w.connect(), w.connect(), w.connect()
		if first.closed() || second.closed() || !third.closed() {
			t.Errorf("closed: %v %v %v, want only the third", first.closed(), second.closed(), third.closed())
		}
		_ = first.conn.Close()
		synctest.Wait()
		if fourth := w.connect(); fourth.closed() {
			t.Error("no place after one left")
		}
	})
}

// A bug that a stranger finds costs only his own connection.
func TestPanicEndsOnlyItsSession(t *testing.T) {
	backend := &fakeBackend{authorize: func(name string) (Worker, error) {
		if name == "boom" {
			panic("boom")
		}
		return Worker{Name: name}, nil
	}}
	inWorld(t, Config{}, backend, func(w *world) {
		other := w.connect()
		m := w.connect()
		m.send(`{"id":1,"method":"mining.authorize","params":["boom"]}` + "\n")
		if !m.closed() {
			t.Error("the session goes on")
		}
		if got := other.ask(`{"id":1,"method":"mining.authorize","params":["x"]}`); got != `{"id":1,"result":true,"error":null}` {
			t.Errorf("another session: %s", got)
		}
	})
}

// A server that stops still answers the shares that it has received, even when
// their commit takes a while.
func TestStopDrains(t *testing.T) {
	backend := &fakeBackend{}
	inWorld(t, Config{}, backend, func(w *world) {
		disk := make(waiter, 1)
		backend.commit = func(Share) (Commit, error) { return disk, nil }
		m, j := w.readyAt(1e-5)
		m.send(m.mine(j, share(1e-5)) + "\n")
		synctest.Wait()
		w.stop()
		time.Sleep(drainTime / 2)
		disk <- nil
		if diff := cmp.Diff([]string{accepted + "\n"}, m.received()); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		if !m.closed() {
			t.Error("connection open")
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	backend := &fakeBackend{commit: func(Share) (Commit, error) { return make(waiter), nil }}
	inWorld(t, Config{}, backend, func(w *world) {
		m, j := w.readyAt(1e-5)
		m.send(m.mine(j, share(1e-5)) + "\n")
		synctest.Wait()
		start := time.Now()
		w.stop()
		err := <-w.served
		w.served <- err
		if took := time.Since(start); took > drainTime {
			t.Errorf("stopping took %v", took)
		}
		if got := m.received(); got != nil {
			t.Errorf("answered %q", got)
		}
	})
}

// A found block does not care for the session that found it.
func TestFoundAfterStop(t *testing.T) {
	handed := make(chan work.Proof, 1)
	backend := &fakeBackend{onFound: func(s Share) {
		time.Sleep(100 * time.Millisecond) // the session is gone by then
		handed <- s.Proof
	}}
	inWorld(t, Config{}, backend, func(w *world) {
		handed = make(chan work.Proof, 1)
		j := w.job(1, easy)
		w.server.Publish(j, true)
		m := w.ready("x")
		m.send(m.mine(j, func(p work.Proof) bool { return p.Block }) + "\n")
		w.stop()
		_ = m.conn.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(handed) != 1 {
			t.Error("the block was not handed over")
		}
	})
}

// Jobs are forgotten after ten minutes, but not while the last templates are
// still among them.
func TestJobMemory(t *testing.T) {
	inWorld(t, Config{KeepAlive: 24 * time.Hour}, &fakeBackend{}, func(w *world) {
		first := w.job(1, hard)
		w.server.Publish(first, true)
		m := w.connect()
		m.send(subscribeLine("x") + `{"id":2,"method":"mining.authorize","params":["addr","d=1"]}` + "\n")
		m.received()
		s := m.session()
		known := func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.state.find(first.ID) != nil
		}
		publish := func() {
			w.server.Publish(w.job(1, hard), false)
			m.received()
		}
		time.Sleep(time.Hour)
		publish()
		time.Sleep(9 * time.Minute)
		publish()
		publish()
		if !known() {
			t.Error("forgotten nine minutes after it was superseded")
		}
		time.Sleep(2 * time.Minute)
		publish()
		if known() {
			t.Error("remembered eleven minutes after it was superseded")
		}
		for range 3 {
			first = s.state.last()
			time.Sleep(time.Hour)
			publish()
			if !known() {
				t.Error("one of the last three templates is forgotten")
			}
		}
	})
}

// Over real sockets: every extranonce1 is unique, and probes leave no trace.
func TestManyConnections(t *testing.T) {
	server := NewServer(Config{}, &fakeBackend{})
	server.Publish(newJob(t, server, 1, hard), true)
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()

	const clients = 64
	var mu sync.Mutex
	ids := make(map[string]bool)
	var all, done sync.WaitGroup
	all.Add(clients)
	leave := make(chan struct{})
	for range clients {
		done.Go(func() {
			defer all.Done()
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "tcp", ln.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := fmt.Fprint(conn, subscribeLine("bitaxe"), authorizeLine); err != nil {
				t.Error(err)
			}
			buffer := make([]byte, 1023) // what the firmware's probe reads
			n, err := conn.Read(buffer)
			if err != nil || !strings.Contains(string(buffer[:n]), "mining.notify") {
				t.Errorf("first segment %q, %v", buffer[:n], err)
			}
			mu.Lock()
			ids[strings.Split(string(buffer[:n]), `"`)[7]] = true
			mu.Unlock()
			done.Go(func() { <-leave; _ = conn.Close() })
		})
	}
	all.Wait()
	if len(ids) != clients {
		t.Errorf("%d different session ids, want %d", len(ids), clients)
	}
	close(leave)
	done.Wait()
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if left := server.Sessions(); len(left) != 0 {
		t.Errorf("%d sessions left", len(left))
	}
}
