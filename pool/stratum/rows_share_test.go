package stratum

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/work"
)

func TestRowsShares(t *testing.T) {
	const five = `"00000001","0000000000000000","00000001","00000001"`
	runRows(t, []row{
		{"row 27 submit before the handshake", Config{}, func(w *world) {
			m := w.connect()
			submit := request("4", "submit", `["addr.w",`+five+`]`)
			m.expect("before subscribe", submit, `4 [25,"Not subscribed",null]`)
			m.ask(strings.TrimSpace(subscribeLine("x")))
			m.expect("before authorize", submit, `4 [24,"Unauthorized worker",null]`)
		}},
		{"row 28 malformed submits", Config{}, func(w *world) {
			m, _ := w.readyAt(1)
			for _, params := range []string{
				`["w","00000001","0000000000000000","00000001"]`,
				`["w","00000001","0000000000000000",1,1]`,
				`["w",null,"0000000000000000","00000001","00000001"]`,
			} {
				m.expect(params, request("4", "submit", params), `4 [20,"Malformed params",null]`)
			}
		}},
		{"row 32 rolled share without its bits", Config{}, func(w *world) {
			m, job := w.readyAt(1e-5)
			s := solve(w.T, m.session().extranonce1, job, anyHash)
			for s.Version |= 0x083ac000; ; s.Nonce++ {
				unrolled := s
				unrolled.Version = job.Version
				if share(1e-5)(job.Prove(s)) && notShare(1e-5)(job.Prove(unrolled)) {
					break
				}
			}
			line := strings.TrimSuffix(submitLine(job, s), "]}")
			m.expect("zero bits", line+`,"00000000"]}`, `4 [23,"Low difficulty share",null]`)
			m.expect("its bits", line+`,"083ac000"]}`, "4 true")
		}},
		{"row 36 extranonce2 of another size", Config{}, func(w *world) {
			m, _ := w.readyAt(1)
			for _, en2 := range []string{"00000000000000", "000000000000000000", "000000000000000", "000000000000000g"} {
				m.expect(en2, request("4", "submit", `["addr.rig","00000001","`+en2+`","00000001","00000001"]`), `4 [20,"Invalid extranonce2",null]`)
			}
		}},
		{"row 38 unknown job", Config{}, func(w *world) {
			m, _ := w.readyAt(1)
			m.expect("deadbeef", request("4", "submit", `["addr.rig","deadbeef","0000000000000000","00000001","00000001"]`), `4 [21,"Job not found",null]`)
		}},
		{"row 39 job of the tip before", Config{}, func(w *world) {
			m, job := w.readyAt(1e-5)
			soon := m.mine(job, func(p work.Proof) bool { return share(1e-5)(p) && p.Header[76]%2 == 0 })
			late := m.mine(job, func(p work.Proof) bool { return share(1e-5)(p) && p.Header[76]%2 == 1 })
			w.server.Publish(w.job(2, hard), false)
			m.received()
			time.Sleep(time.Second)
			m.expect("1 s after the clean job", soon, "4 true")
			if !w.backend.lastAccepted(w.T).Late {
				w.Error("not marked as late")
			}
			time.Sleep(9 * time.Second)
			m.expect("10 s after it", late, `4 [21,"Stale share",null]`)
		}},
		{"row 40 block on the tip before", Config{}, func(w *world) {
			isBlock := func(p work.Proof) bool { return p.Block }
			job := w.job(1, easy)
			w.server.Publish(job, true)
			m := w.ready("x")
			line := m.mine(job, isBlock)
			w.server.Publish(w.job(2, easy), true)
			m.received()
			time.Sleep(10 * time.Second)
			m.received()
			m.expect("answer", line, `4 [21,"Stale share",null]`)
			if diff := cmp.Diff([]string{"found", "stale"}, w.backend.takeEvents()); diff != "" {
				w.Errorf("events (-want +got):\n%s", diff)
			}
		}},
		{"row 41 share of the old difficulty after a raise", Config{StartDifficulty: 2e-5}, func(w *world) {
			job := w.job(1, hard)
			w.server.Publish(job, true)
			m := w.ready("cpuminer")
			line := m.mine(job, func(p work.Proof) bool { return share(2e-5)(p) && notShare(8e-5)(p) })
			m.expect("raise", request("3", "suggest_difficulty", "[0.00008]"), "3 true", "difficulty 0.00008", "job clean=false")
			m.expect("share", line, "4 true")
			if got := w.backend.lastAccepted(w.T); got.Difficulty != 2e-5 || got.Work != work.ShareWork(2e-5) {
				w.Errorf("credited %v, %d hashes, want 2e-5", got.Difficulty, got.Work)
			}
		}},
		{"row 43 hashes at the target", Config{}, func(w *world) {
			for _, test := range []struct {
				harder float64 // than the hash
				want   string
			}{{1, "4 true"}, {1 + 1e-9, "4 true"}, {1 + 2e-5, "4 true"}, {1 + 3.1e-5, `4 [23,"Low difficulty share",null]`}} {
				job := w.job(1, hard)
				w.server.Publish(job, false)
				w.backend.authorize = func(string) (Worker, error) { return Worker{FixedDifficulty: 0.01}, nil }
				m := w.ready("cpuminer")
				session := w.server.live()[0]
				for _, s := range w.server.live() {
					if s.state.last() == job {
						session = s
					}
				}
				s := solve(w.T, session.extranonce1, job, share(1e-5))
				session.mu.Lock()
				d := work.HashDifficulty(job.Prove(s).Hash) * test.harder
				session.state.current, session.state.issued[0].difficulty = d, d
				session.mu.Unlock()
				m.expect("answer", submitLine(job, s), test.want)
				_ = m.conn.Close()
			}
		}},
		{"row 44 hashes at the network's target", Config{}, func(w *world) {
			job := w.job(1, hard)
			w.server.Publish(job, true)
			w.backend.authorize = func(string) (Worker, error) { return Worker{FixedDifficulty: 1e-5}, nil }
			m := w.ready("cpuminer")
			s := solve(w.T, m.session().extranonce1, job, share(1e-5))
			hash := job.Prove(s).Hash
			for i := range hash {
				job.Target[i] = hash[len(hash)-1-i]
			}
			job.Target[31]-- // a hash just above the target is no block
			if job.Target[31] == 255 {
				w.Skip("the hash ends with a zero byte")
			}
			m.expect("target + 1", submitLine(job, s), "4 true")
			if diff := cmp.Diff([]string{"accepted"}, w.backend.takeEvents()); diff != "" {
				w.Errorf("target + 1 (-want +got):\n%s", diff)
			}
			job.Target[31]++
			m.expect("target", submitLine(job, s), `4 [22,"Duplicate share",null]`)
			if diff := cmp.Diff([]string{"found", "duplicate"}, w.backend.takeEvents()); diff != "" {
				w.Errorf("target (-want +got):\n%s", diff)
			}
		}},
		{"row 46 every job is new", Config{StartDifficulty: 1e-4}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			m := w.connect()
			m.send(subscribeLine("cpuminer") + authorizeLine)
			ids, contents := map[string]bool{}, map[string]bool{}
			jobs := 0
			for i := range 60 {
				time.Sleep(10 * time.Second)
				switch i % 3 {
				case 0:
					w.server.Publish(w.job(1, hard), false)
				case 1:
					m.send(request("3", "suggest_difficulty", "[0.00"+strings.Repeat("1", 1+i%7)+"]") + "\n")
				}
				for _, line := range m.received() {
					if strings.HasPrefix(kind(line), "job") {
						n := parseJob(w.T, line)
						ids[n.JobID], contents[string(n.Coinbase1)] = true, true
						jobs++
					}
				}
			}
			if jobs < 20 || len(ids) != jobs || len(contents) != jobs {
				w.Errorf("%d jobs with %d ids and %d contents", jobs, len(ids), len(contents))
			}
		}},
		{"row 47 nothing changes for 30 s", Config{}, func(w *world) {
			first := w.job(1, hard)
			w.server.Publish(first, true)
			m := w.connect()
			m.send(subscribeLine("x") + request("2", "authorize", `["addr","d=1"]`) + "\n")
			m.received()
			// The template is published again every 30 s: pool, Source.Run. When
			// that fails the server does it: TestKeepAlive.
			time.Sleep(30 * time.Second)
			again := first.WithID(w.server.NextJobID(), first.Time+30)
			w.server.Publish(again, false)
			lines := m.received()
			if diff := cmp.Diff([]string{"job clean=false"}, kinds(lines)); diff != "" {
				w.Fatalf("received (-want +got):\n%s", diff)
			}
			if n := parseJob(w.T, lines[0]); n.JobID == string(appendHex32(nil, first.ID)) {
				w.Error("the same id again")
			}
		}},
		{"row 54 a network easier than any ASIC", Config{}, func(w *world) {
			job := w.job(1, easy)
			w.server.Publish(job, true)
			m := w.connect()
			m.send(subscribeLine("Antminer S21/") + authorizeLine)
			m.received()
			if got := w.server.Sessions()[0].Difficulty; got > job.NetworkDifficulty {
				w.Errorf("difficulty %g, want at most the network's %g", got, job.NetworkDifficulty)
			}
			for range 20 {
				s := solve(w.T, m.session().extranonce1, job, func(p work.Proof) bool { return p.Block })
				m.expect("block", submitLine(job, s), "4 true")
				job = w.job(job.PrevHash[0]+1, easy)
				w.server.Publish(job, true)
				m.received()
			}
			if n := strings.Count(strings.Join(w.backend.takeEvents(), " "), "found"); n != 20 {
				w.Errorf("%d blocks found, want 20", n)
			}
		}},
		{"row 66 two blocks on the same tip", Config{}, func(w *world) {
			w.backend.onFound = func(Share) { time.Sleep(200 * time.Millisecond) } // the node takes its time
			job := w.job(1, easy)
			w.server.Publish(job, true)
			first, second := w.ready("x"), w.ready("y")
			for _, session := range w.server.live() {
				s := solve(w.T, session.extranonce1, job, func(p work.Proof) bool { return p.Block })
				m := first
				if session.state.agent == "y" {
					m = second
				}
				m.send(submitLine(job, s) + "\n")
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(time.Second)
			for _, m := range []*miner{first, second} {
				if diff := cmp.Diff([]string{"4 true"}, kinds(m.received())); diff != "" {
					w.Errorf("answer (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff([]string{"found", "found", "accepted", "accepted"}, w.backend.takeEvents()); diff != "" {
				w.Errorf("events (-want +got):\n%s", diff)
			}
		}},
	})
}
