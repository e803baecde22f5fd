package stratum

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/work"
)

// from is a connection that claims to come from an address.
type from struct {
	net.Conn
	addr string
}

func (f from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.addr))
}

// connectFrom is connect from an address.
func (w *world) connectFrom(addr string) *miner {
	client, server := net.Pipe()
	w.ln.conns <- from{server, addr}
	return w.listen(client)
}

func TestPublicAddr(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"203.0.113.5:1", "203.0.113.5"},
		{"[::ffff:203.0.113.5]:1", "203.0.113.5"},
		{"[2001:db8:1:2:3::4]:1", "2001:db8:1:2::"},
		{"127.0.0.1:1", ""},
		{"[::1]:1", ""},
		{"192.168.1.9:1", ""},
		{"172.17.0.1:1", ""},
		{"10.0.0.1:1", ""},
		{"100.64.0.1:1", ""},
		{"169.254.1.1:1", ""},
		{"[fe80::1%eth0]:1", ""},
		{"[fd00::1]:1", ""},
	}
	for _, test := range tests {
		got := publicAddr(from{addr: test.addr}.RemoteAddr())
		want := netip.Addr{}
		if test.want != "" {
			want = netip.MustParseAddr(test.want)
		}
		if got != want {
			t.Errorf("publicAddr(%s) = %v, want %v", test.addr, got, want)
		}
	}
	if got := publicAddr(&net.UnixAddr{}); got.IsValid() {
		t.Errorf("publicAddr of a pipe = %v", got)
	}
}

func TestMaxPerAddress(t *testing.T) {
	inWorld(t, Config{MaxPerAddress: 3}, &fakeBackend{}, func(w *world) {
		var first *miner
		for i := range 3 {
			m := w.connectFrom(fmt.Sprintf("203.0.113.5:%d", i+1))
			if first == nil {
				first = m
			}
		}
		if !w.connectFrom("203.0.113.5:9").closed() {
			t.Error("a fourth connection is let in")
		}
		for i := range 20 {
			if w.connectFrom(fmt.Sprintf("192.168.1.1:%d", i+1)).closed() {
				t.Error("a private address is limited")
			}
		}
		_ = first.conn.Close()
		synctest.Wait()
		if w.connectFrom("203.0.113.5:10").closed() {
			t.Error("no place after one left")
		}
	})
}

// However many strangers come, there is a place for the miners at home.
func TestPlacesAtHome(t *testing.T) {
	inWorld(t, Config{MaxSessions: 8}, &fakeBackend{}, func(w *world) {
		for i := range 7 {
			if got, want := w.connectFrom(fmt.Sprintf("203.0.113.%d:1", i)).closed(), i >= 6; got != want {
				t.Errorf("stranger %d: closed %v, want %v", i, got, want)
			}
		}
		for i := range 3 {
			if got, want := w.connectFrom(fmt.Sprintf("192.168.1.%d:1", i)).closed(), i >= 2; got != want {
				t.Errorf("miner %d at home: closed %v, want %v", i, got, want)
			}
		}
	})
}

// Who connects too fast has to wait, but is served.
func TestArrivalsAreDelayed(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		var all []*miner
		for i := range addressRate + 5 {
			m := w.connectFrom(fmt.Sprintf("203.0.113.5:%d", i+1))
			go func() { _, _ = m.conn.Write([]byte(subscribeLine("x"))) }()
			all = append(all, m)
		}
		served := func() (n int) {
			for _, m := range all {
				if len(m.received()) > 0 {
					n++
				}
			}
			return n
		}
		if n := served(); n != addressRate {
			t.Errorf("%d are served at once, want %d", n, addressRate)
		}
		time.Sleep(time.Second)
		if n := served(); n != 5 {
			t.Errorf("%d are served a second later, want 5", n)
		}
	})
}

// "row 26": only public addresses are banned, and only for what no miner does.
func TestBans(t *testing.T) {
	garbage := func(m *miner) { m.send("GET / HTTP/1.1\r\n\r\n") }
	tests := []struct {
		name   string
		addr   string
		do     func(m *miner)
		banned bool
	}{
		{"garbage", "203.0.113.5:1", garbage, true},
		{"garbage from a private address", "192.168.1.1:1", garbage, false},
		{"no JSON", "203.0.113.5:1", func(m *miner) {
			for range parseErrors {
				m.send("{bad\n")
			}
		}, true},
		{"endless line", "203.0.113.5:1", func(m *miner) { _, _ = m.conn.Write([]byte("{" + strings.Repeat("x", 9<<10))) }, true},
		{"nothing at all", "203.0.113.5:1", func(m *miner) { _ = m.conn.Close() }, false},
		{"probe", "203.0.113.5:1", func(m *miner) { m.send(subscribeLine("x") + authorizeLine); m.received(); _ = m.conn.Close() }, false},
		{"refused name", "203.0.113.5:1", func(m *miner) {
			m.send(request("1", "authorize", `["nobody"]`) + "\n")
			time.Sleep(handshakeTime + time.Second)
		}, false},
		{"invalid shares", "203.0.113.5:1", func(m *miner) {
			m.send(subscribeLine("x") + authorizeLine)
			for range 20 {
				m.send(request("4", "submit", `["addr","0","0","0","0"]`) + "\n")
			}
			m.received()
			_ = m.conn.Close()
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, Config{}, rowBackend(), func(w *world) {
				w.server.Publish(w.job(1, hard), true)
				for range failureLimit + 1 {
					m := w.connectFrom(test.addr)
					test.do(m)
					m.received()
					time.Sleep(time.Second)
				}
				m := w.connectFrom(test.addr)
				if m.closed() != test.banned {
					t.Errorf("banned %v, want %v", m.closed(), test.banned)
				}
				if test.banned && w.connectFrom("203.0.113.6:1").closed() {
					t.Error("another address is banned, too")
				}
				time.Sleep(banTime)
				if w.connectFrom(test.addr).closed() {
					t.Error("still banned")
				}
			})
		})
	}
}

// Those who are turned away do not make the others wait.
func TestRefusedDoNotDelay(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	g := newGate(at)
	for i := range 100_000 {
		g.enter(netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}), 64, at)
	}
	at = at.Add(maxDelay)
	if delay, ok := g.enter(netip.MustParseAddr("198.51.100.1"), 64, at); !ok || delay > time.Second {
		t.Errorf("after the flood: delay %v, let in %v", delay, ok)
	}
}

func TestGateForgets(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	g := newGate(at)
	for i := range 1000 {
		addr := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
		if _, ok := g.enter(addr, 1, at); ok {
			g.leave(addr)
		}
		at = at.Add(time.Second)
	}
	if n := len(g.visitors); n > 130 {
		t.Errorf("%d visitors are remembered", n)
	}
}

// "row 60": junk is answered for a while, then dropped, and nothing of it stays.
func TestRowsJunk(t *testing.T) {
	t.Run("row 60 junk in a flood", func(t *testing.T) {
		inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
			m, job := w.readyAt(1e-5)
			line := []byte(m.mine(job, notShare(1e-5)) + "\n")
			for range 10_000 {
				if _, err := m.conn.Write(line); err != nil {
					break
				}
			}
			if !m.closed() {
				t.Error("the connection stays open")
			}
			count := map[string]int{}
			for _, e := range w.backend.takeEvents() {
				count[e]++
			}
			if diff := cmp.Diff(map[string]int{"low-difficulty": 1000, rateLimited: 1001}, count); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
		})
	})
}

// A block is never limited: it has paid for itself.
func TestBlockAboveTheRate(t *testing.T) {
	inWorld(t, Config{SubmitRate: 1}, &fakeBackend{}, func(w *world) {
		job := w.job(1, easy)
		w.server.Publish(job, true)
		m := w.ready("x")
		for range burst {
			m.ask(m.mine(job, func(p work.Proof) bool { return !p.Block }))
		}
		w.backend.takeEvents()
		bad := m.mine(job, func(p work.Proof) bool { return !p.Block })
		m.expect("a share that is none", bad, `4 [20,"Rate limited",null]`)
		m.expect("block", m.mine(job, func(p work.Proof) bool { return p.Block }), "4 true")
		if diff := cmp.Diff([]string{rateLimited, "found", "accepted"}, w.backend.takeEvents()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		time.Sleep(2 * time.Second)
		m.received()
		m.expect("a moment later", bad, `4 [23,"Low difficulty share",null]`)
	})
}

func TestStreak(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	tests := []struct {
		name  string
		every time.Duration
		want  []string // when which remedy
	}{
		{"one a second", time.Second, []string{"1m0s 1", "2m0s 2", "3m0s 3"}},
		{"one in ten seconds", 10 * time.Second, []string{"1m0s 1", "2m0s 2", "3m0s 3"}},
		{"one in a minute", time.Minute, []string{"4m0s 1", "9m0s 2", "14m0s 3"}},
	}
	for _, test := range tests {
		var s streak
		var got []string
		for at := start; at.Before(start.Add(20 * time.Minute)); at = at.Add(test.every) {
			if r := s.rejected(at); r != nothing {
				got = append(got, fmt.Sprint(at.Sub(start), " ", int(r)))
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		s.accepted()
		if s.rejected(start.Add(time.Hour)) != nothing {
			t.Errorf("%s: an accepted share does not end the streak", test.name)
		}
	}
}

func TestRemedies(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, job := w.readyAt(1e-5)
		bad := m.mine(job, notShare(1e-5))
		m.received()
		var got []string
		for i := range 200 {
			if m.closed() {
				got = append(got, fmt.Sprint("closed after ", i))
				break
			}
			m.send(bad + "\n")
			for _, line := range m.received() {
				if k := kind(line); strings.Contains(line, "client.reconnect") {
					got = append(got, fmt.Sprint(i, " reconnect"))
				} else if !strings.HasPrefix(k, "4 ") && k != "job clean=false" {
					got = append(got, fmt.Sprint(i, " ", k))
				}
			}
			time.Sleep(time.Second)
		}
		want := []string{"60 difficulty 0.00001", "60 job clean=true", "120 reconnect", "closed after 181"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("remedies (-want +got):\n%s", diff)
		}
	})
}

func TestWorkless(t *testing.T) {
	inWorld(t, Config{Workless: 2 * time.Hour}, &fakeBackend{}, func(w *world) {
		worker, job := w.readyAt(1e-5)
		worker.ask(worker.mine(job, share(1e-5)))
		idle := w.ready("cpuminer")
		time.Sleep(2*time.Hour - tickTime)
		if idle.closed() || worker.closed() {
			t.Error("closed before the time")
		}
		time.Sleep(2 * tickTime)
		if !idle.closed() || worker.closed() {
			t.Errorf("closed: %v %v, want only the one without shares", idle.closed(), worker.closed())
		}
	})
}
