package stratum

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// resuming returns a miner that asks for the session sid, and what it got.
func (w *world) resuming(sid string) (m *miner, got string) {
	w.Helper()
	m = w.connect()
	answer := m.ask(request("1", "subscribe", `["cpuminer","`+sid+`"]`))
	return m, strings.Split(answer, `"`)[7]
}

func TestResume(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, job := w.readyAt(1e-5)
		sid := m.session().id
		sent := m.mine(job, func(p work.Proof) bool { return share(1e-5)(p) && p.Header[76]%2 == 0 })
		unsent := m.mine(job, func(p work.Proof) bool { return share(1e-5)(p) && p.Header[76]%2 == 1 })
		m.expect("share", sent, "4 true")

		if _, got := w.resuming(sid); got == sid {
			t.Error("a session that is alive was given away")
		}
		_ = m.conn.Close()
		synctest.Wait()
		for _, odd := range []string{"", "xyz", strings.ToUpper(sid) + " ", "0" + sid, "12345678"} {
			if _, got := w.resuming(odd); got == odd || got == sid {
				t.Errorf("session %q resumed as %s", odd, got)
			}
		}

		// Unsent shares count, sent ones do not count twice.
		m, got := w.resuming(sid)
		if got != sid {
			t.Fatalf("resumed as %s, want %s", got, sid)
		}
		m.send(authorizeLine)
		m.received()
		m.expect("share that was not sent before", unsent, "4 true")
		m.expect("share that was", sent, `4 [22,"Duplicate share",null]`)
		if s := w.backend.lastAccepted(t); s.Session != sid {
			t.Errorf("share of session %s, want %s", s.Session, sid)
		}

		// A second time, too late.
		_ = m.conn.Close()
		synctest.Wait()
		time.Sleep(resumeTime + time.Minute)
		if _, got := w.resuming(sid); got == sid {
			t.Error("resumed after too long")
		}
	})
}

// The jobs of a resumed session are still judged by the tip.
func TestResumeAfterNewTip(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, job := w.readyAt(1e-5)
		sid := m.session().id
		line := m.mine(job, share(1e-5))
		_ = m.conn.Close()
		synctest.Wait()
		time.Sleep(time.Minute)
		w.server.Publish(w.job(2, hard), true)
		m, _ = w.resuming(sid)
		m.send(authorizeLine)
		m.received()
		m.expect("share for the tip before", line, `4 [21,"Stale share",null]`)
	})
}

// An id is not enough to take up the session of somebody else, who still finds it
// in its place, over a restart too.
func TestResumeNeedsTheSameNetwork(t *testing.T) {
	tests := []struct {
		name, from, by string
		want           bool
	}{
		{"same address", "203.0.113.5:1", "203.0.113.5:2", true},
		{"another address at home", "192.168.1.5:1", "192.168.1.77:1", true},
		{"stranger", "203.0.113.5:1", "203.0.114.5:1", false},
		{"stranger for one at home", "192.168.1.5:1", "203.0.113.5:1", false},
		{"IPv6, another host part", "[2001:db8:1:2::1]:1", "[2001:db8:1:2::9]:1", true},
		{"IPv6, stranger", "[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false},
		{"IPv4 in IPv6", "203.0.113.5:1", "[::ffff:203.0.113.9]:1", true},
	}
	for _, restart := range []bool{false, true} {
		for _, test := range tests {
			t.Run(fmt.Sprint(test.name, ", restart: ", restart), func(t *testing.T) {
				inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
					w.server.Publish(w.job(1, hard), true)
					m := w.connectFrom(test.from)
					m.send(subscribeLine("cpuminer") + authorizeLine)
					m.received()
					sid := m.session().id
					_ = m.conn.Close()
					synctest.Wait()
					if restart {
						w.newLife(time.Second, nil)
					}
					ask := func(addr string) (got string) {
						m := w.connectFrom(addr)
						return strings.Split(m.ask(request("1", "subscribe", `["cpuminer","`+sid+`"]`)), `"`)[7]
					}
					if got := ask(test.by); (got == sid) != test.want {
						t.Errorf("resumed as %s, want %s: %v", got, sid, test.want)
					}
					if got := ask(test.from); (got == sid) == test.want {
						t.Errorf("the miner itself then resumes as %s", got)
					}
				})
			})
		}
	}
}

// An extranonce1 does not tell the next one, and is given out once until the
// session that had it cannot come back.
func TestExtranonce1IsDrawn(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		first := w.ready("x")
		w.ready("x")
		var ids []uint32
		for _, info := range w.server.Sessions() {
			id, ok := hex32([]byte(info.ID))
			if !ok {
				t.Fatal(info.ID)
			}
			ids = append(ids, id)
		}
		if apart := ids[1] - ids[0]; apart+1000 <= 2000 {
			t.Errorf("%08x and %08x follow each other", ids[0], ids[1])
		}
		_ = first.conn.Close()
		synctest.Wait()

		drawn := []uint32{ids[0], ids[1], 7} // of the closed one, and of the live one
		w.server.draw = func() (id uint32) {
			id, drawn = drawn[0], drawn[1:]
			return id
		}
		if got := strings.Split(w.connect().ask(request("1", "subscribe", `["x"]`)), `"`)[7]; got != "00000007" {
			t.Errorf("a new session is %s, want the only one that is free", got)
		}
	})
}

// A miner may send its subscription, its name and the shares that it still has
// all at once.
func TestResumeInOneSegment(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, job := w.readyAt(1e-5)
		sid := m.session().id
		unsent := m.mine(job, share(1e-5))
		_ = m.conn.Close()
		synctest.Wait()
		m = w.connect()
		m.send(request("1", "subscribe", `["cpuminer","`+sid+`"]`) + "\n" + authorizeLine + unsent + "\n")
		got := kinds(m.received())
		if len(got) < 3 || got[2] != "4 true" {
			t.Errorf("received %q, want the third to be the accepted share", got)
		}
	})
}

// A miner whose connection drops all the time does not make the server keep
// every job since the first connection.
func TestResumedJobsAreForgotten(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		at := time.Now()
		job := w.job(1, hard)
		var r remains
		for range 100 {
			st := newState(Port{}, at)
			st.inherit(r, job.PrevHash)
			st.issued = append(st.issued, issued{job: job, at: at})
			at = at.Add(jobMemory / 2)
			r = st.leave(at, netip.Prefix{})
		}
		if n := len(r.issued); n < 2 || n > 3 {
			t.Errorf("%d jobs are kept, want those of the last %v", n, jobMemory)
		}
	})
}

// A miner that comes and goes all the time takes along only so many jobs.
func TestInheritedJobsAreBounded(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, _ := w.readyAt(1)
		sid := m.session().id
		for range 3 * maxInherited {
			_ = m.conn.Close()
			synctest.Wait()
			m, _ = w.resuming(sid)
			m.send(authorizeLine)
			m.received()
			w.server.Publish(w.job(1, hard), false)
			m.received()
		}
		if n := len(m.session().state.inherited); n != maxInherited {
			t.Errorf("%d jobs inherited, want %d", n, maxInherited)
		}
		_ = m.conn.Close()
		time.Sleep(resumeTime - time.Second)
		if m, got := w.resuming(sid); got != sid || len(m.session().state.inherited) != maxInherited {
			t.Errorf("resumed as %s with %d jobs", got, len(m.session().state.inherited))
		}
	})
}

// A probe that left before it had a job leaves nothing to resume.
func TestProbeIsNotKept(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.connect()
		m.ask(strings.TrimSpace(subscribeLine("x")))
		_ = m.conn.Close()
		synctest.Wait()
		if got := w.server.Closed(); len(got) != 0 {
			t.Errorf("kept %v", got)
		}
	})
}

func TestResumeAfterRestart(t *testing.T) {
	tests := []struct {
		name   string
		memory Memory
		sid    string
		want   bool
	}{
		{"known", Memory{Clean: true, Closed: map[uint32]time.Time{0xabcdef01: {}}}, "abcdef01", true},
		{"unknown", Memory{Clean: true}, "abcdef01", false},
		{"unknown, after a crash", Memory{}, "abcdef01", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
				for id := range test.memory.Closed {
					test.memory.Closed[id] = time.Now().Add(-time.Minute)
				}
				w.server.Recall(test.memory)
				if _, got := w.resuming(test.sid); (got == test.sid) != test.want {
					t.Errorf("resumed as %s, want %s: %v", got, test.sid, test.want)
				}
				if _, got := w.resuming(test.sid); got == test.sid {
					t.Error("given away twice")
				}
				time.Sleep(resumeTime)
				if _, got := w.resuming("00abcdef"); got == "00abcdef" {
					t.Error("unknown session taken long after the start")
				}
			})
		})
	}
}

// "row 62", the difficulty: the listening socket outlives the server. Everybody
// goes on with the extranonce1 and half the difficulty that it had. With a
// process that a service manager starts: appliance, TestRowsSocketActivation.
func TestRowsRestart(t *testing.T) {
	t.Run("row 62 restart with 50 miners", func(t *testing.T) {
		const miners = 50
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		socket, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		addr := ln.Addr().String()
		_ = ln.Close() // the socket is still open

		// life runs a server while do does its work.
		life := func(m Memory, do func(*Server)) *Server {
			server := NewServer(Config{}, rowBackend())
			server.Recall(m)
			server.Publish(newJob(t, server, 1, hard), true)
			inherited, err := net.FileListener(socket)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- server.Serve(ctx, inherited) }()
			do(server)
			stop()
			if err := <-served; err != nil {
				t.Errorf("Serve = %v", err)
			}
			return server
		}
		dial := func() net.Conn {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal("refused: ", err)
			}
			return conn
		}
		// work shakes hands and returns the id of the session and its difficulty.
		work := func(conn net.Conn, i int, sid string) (string, string) {
			fmt.Fprintf(conn, "%s\n%s\n", request("1", "subscribe", `["bitaxe","`+sid+`"]`),
				request("2", "authorize", fmt.Sprintf(`["addr.%d","x"]`, i)))
			var text strings.Builder
			buffer := make([]byte, 4096)
			for !strings.Contains(text.String(), `,true]}`) {
				n, err := conn.Read(buffer)
				if err != nil {
					t.Errorf("miner %d: %v", i, err)
					return "", ""
				}
				text.Write(buffer[:n])
			}
			_, rest, _ := strings.Cut(text.String(), `set_difficulty","params":[`)
			difficulty, _, _ := strings.Cut(rest, "]")
			return strings.Split(text.String(), `"`)[7], difficulty
		}

		sids := make([]string, miners)
		var conns []net.Conn
		first := life(Memory{Clean: true}, func(*Server) {
			for i := range miners {
				conn := dial()
				conns = append(conns, conn)
				sids[i], _ = work(conn, i, "")
			}
		})
		m := Memory{Clean: true, Closed: first.Closed()}
		for i, conn := range conns {
			_ = conn.Close()
			conns[i] = dial() // nobody serves now
			m.Rigs = append(m.Rigs, Rig{"addr", fmt.Sprint(i), "bitaxe", 1000, time.Now()})
		}
		life(m, func(*Server) {
			var group sync.WaitGroup
			for i, conn := range conns {
				group.Go(func() {
					sid, difficulty := work(conn, i, sids[i])
					if sid != sids[i] || difficulty != "500" {
						t.Errorf("miner %d: session %s at difficulty %s, want %s at 500", i, sid, difficulty, sids[i])
					}
					_ = conn.Close()
				})
			}
			group.Wait()
		})
	})
}
