package stratum

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/work"
)

func refusal(code, text string) string {
	return `{"id":4,"result":null,"error":[` + code + `,"` + text + `",null]}`
}

// hard has a target that no test will meet.
const hard = 0x1703255b

// Each case changes one field of a share that would be accepted.
func TestSubmitFields(t *testing.T) {
	const user, job, extranonce2, ntime, nonce, version = 0, 1, 2, 3, 4, 5
	tests := []struct {
		name   string
		field  int
		value  func(good string) string
		want   string
		reason string
	}{
		{"unchanged", user, func(s string) string { return s }, accepted, "accepted"},
		{"name never authorised", user, func(string) string { return "other.rig" }, accepted, "accepted"},
		{"upper case", ntime, strings.ToUpper, accepted, "accepted"},
		{"nonce without leading zeros", nonce, func(s string) string { return strings.TrimLeft(s, "0") }, accepted, "accepted"},
		{"extranonce2 padded with spaces", extranonce2, func(s string) string { return strings.ReplaceAll(s, "0", " ") }, accepted, "accepted"},
		{"version zero", version, func(string) string { return "00000000" }, accepted, "accepted"},
		{"version empty", version, func(string) string { return "" }, accepted, "accepted"},
		{"complete version", version, func(string) string { return "20000000" }, accepted, "accepted"},

		{"unknown job", job, func(string) string { return "deadbeef" }, refusal("21", "Job not found"), "job-not-found"},
		{"job in upper case", job, func(string) string { return "DEADBEEF" }, refusal("21", "Job not found"), "job-not-found"},
		{"empty job", job, func(string) string { return "" }, refusal("21", "Job not found"), "job-not-found"},
		{"extranonce2 too short", extranonce2, func(s string) string { return s[2:] }, refusal("20", "Invalid extranonce2"), malformed},
		{"extranonce2 too long", extranonce2, func(s string) string { return s + "00" }, refusal("20", "Invalid extranonce2"), malformed},
		{"extranonce2 odd", extranonce2, func(s string) string { return s[1:] }, refusal("20", "Invalid extranonce2"), malformed},
		{"extranonce2 no hex", extranonce2, func(s string) string { return "x" + s[1:] }, refusal("20", "Invalid extranonce2"), malformed},
		{"ntime no hex", ntime, func(s string) string { return "x" + s[1:] }, refusal("20", "Invalid ntime"), malformed},
		{"ntime too long", ntime, func(s string) string { return "0" + s }, refusal("20", "Invalid ntime"), malformed},
		{"ntime too early", ntime, func(string) string { return "1" }, refusal("20", "Ntime out of range"), "time-out-of-range"},
		{"ntime too late", ntime, func(string) string { return "ffffffff" }, refusal("20", "Ntime out of range"), "time-out-of-range"},
		{"nonce empty", nonce, func(string) string { return "" }, refusal("20", "Invalid nonce"), malformed},
		{"nonce too long", nonce, func(s string) string { return "0" + s }, refusal("20", "Invalid nonce"), malformed},
		{"version bit outside the mask", version, func(string) string { return "00001000" }, refusal("20", "Invalid version bits"), malformed},
		{"version no hex", version, func(string) string { return "zz" }, refusal("20", "Invalid version bits"), malformed},
		{"rolled after the fact", version, func(string) string { return "00002000" }, refusal("23", "Low difficulty share"), "low-difficulty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
				m, j := w.readyAt(1e-5)
				line := m.mine(j, share(1e-5)) // the nonce has leading zeros: there are few to try
				var message struct {
					ID     int      `json:"id"`
					Method string   `json:"method"`
					Params []string `json:"params"`
				}
				if err := json.Unmarshal([]byte(line), &message); err != nil {
					t.Fatal(err)
				}
				message.Params = append(message.Params, "")
				message.Params[test.field] = test.value(message.Params[test.field])
				changed, err := json.Marshal(message)
				if err != nil {
					t.Fatal(err)
				}
				if got := m.ask(string(changed)); got != test.want {
					t.Errorf("%s\n got %s\nwant %s", changed, got, test.want)
				}
				if diff := cmp.Diff([]string{test.reason}, w.backend.takeEvents()); diff != "" {
					t.Errorf("backend was told (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// readyAt returns a miner with a fixed difficulty and its first job.
func (w *world) readyAt(d float64) (*miner, *work.Job) {
	w.Helper()
	w.backend.authorize = func(name string) (Worker, error) { return Worker{Name: name, FixedDifficulty: d}, nil }
	j := w.job(1, hard)
	w.server.Publish(j, true)
	return w.ready("cpuminer"), j
}

func TestSubmitShapes(t *testing.T) {
	tests := []struct{ name, params, want string }{
		{"four params", `["u","00000001","0000000000000000","00000001"]`, refusal("20", "Malformed params")},
		{"numbers", `["u","00000001","0000000000000000",1,2]`, refusal("20", "Malformed params")},
		{"null job", `["u",null,"0000000000000000","00000001","00000001"]`, refusal("20", "Malformed params")},
		{"number for version", `["u","00000001","0000000000000000","00000001","00000001",5]`, refusal("20", "Malformed params")},
		{"null version", `["u","00000001","0000000000000000","00000001","00000001",null]`, refusal("21", "Job not found")},
		{"extra params", `["u","00000001","0000000000000000","00000001","00000001","","x",{}]`, refusal("21", "Job not found")},
		{"escaped name", `["\u0075","00000001","0000000000000000","00000001","00000001"]`, refusal("21", "Job not found")},
		{"object", `{}`, refusal("20", "Malformed params")},
	}
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, _ := w.readyAt(1)
		for _, test := range tests {
			if got := m.ask(`{"id":4,"method":"mining.submit","params":` + test.params + `}`); got != test.want {
				t.Errorf("%s: %s, want %s", test.name, got, test.want)
			}
		}
	})
}

func TestSubmitBeforeHandshake(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.connect()
		for _, submit := range []string{
			`{"id":4,"method":"mining.submit","params":["u","00000001","0000000000000000","00000001","00000001"]}`,
			`{"id":4,"method":"mining.submit","params":[]}`,
			`{"id":4,"method":"mining.submit","params":["","","","",""]}`,
		} {
			if got, want := m.ask(submit), refusal("25", "Not subscribed"); got != want {
				t.Errorf("before subscribe: %s answered by %s, want %s", submit, got, want)
			}
		}
		m.ask(strings.TrimSpace(subscribeLine("x")))
		if got, want := m.ask(`{"id":4,"method":"mining.submit","params":["","","","",""]}`), refusal("24", "Unauthorized worker"); got != want {
			t.Errorf("before authorize: %s, want %s", got, want)
		}
		if events := w.backend.takeEvents(); events != nil {
			t.Errorf("backend was told %q of nobody's shares", events)
		}
	})
}

func TestVersionBits(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, j := w.readyAt(1e-5)
		m.ask(`{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"00006000"}]}`)
		roll := func(bits string) string {
			line := m.mine(j, anyHash)
			return strings.TrimSuffix(line, "]}") + `,"` + bits + `"]}`
		}
		if got, want := m.ask(roll("00008000")), refusal("20", "Invalid version bits"); got != want {
			t.Errorf("bit of the pool's mask that was not agreed on: %s, want %s", got, want)
		}
		s := solve(t, m.session().extranonce1, j, anyHash)
		s.Version |= 0x2000
		for !share(1e-5)(j.Prove(s)) {
			s.Nonce++
		}
		line := strings.TrimSuffix(submitLine(j, s), "]}") + `,"00002000"]}`
		if got := m.ask(line); got != accepted {
			t.Errorf("rolled share: %s", got)
		}
		if got := w.backend.lastAccepted(t).Solution.Version; got != 0x20002000 {
			t.Errorf("header version %08x, want 20002000", got)
		}
	})
}

func TestDuplicate(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, j := w.readyAt(1e-5)
		line := m.mine(j, share(1e-5))
		if got := m.ask(line); got != accepted {
			t.Fatalf("share: %s", got)
		}
		spelled := strings.Replace(strings.ToUpper(line), `"ID":4,"METHOD":"MINING.SUBMIT","PARAMS"`, `"id":4,"method":"mining.submit","params"`, 1)
		job := string(appendHex32(nil, j.ID))
		spelled = strings.Replace(spelled, strings.ToUpper(job), job, 1)
		for _, again := range []string{line, spelled} {
			if got, want := m.ask(again), refusal("22", "Duplicate share"); got != want {
				t.Errorf("%s answered by %s, want %s", again, got, want)
			}
		}
	})
}

func TestLowDifficulty(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, j := w.readyAt(1e-5)
		if got, want := m.ask(m.mine(j, notShare(1e-5))), refusal("23", "Low difficulty share"); got != want {
			t.Errorf("answered by %s, want %s", got, want)
		}
	})
}

// A block is handed over before anything else is asked about the share, and
// whatever the verdict will be.
func TestBlockFirst(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		j := w.job(1, easy)
		w.server.Publish(j, true)
		m := w.ready("bitaxe")
		isBlock := func(p work.Proof) bool { return p.Block }

		line := m.mine(j, isBlock)
		if got := m.ask(line); got != accepted {
			t.Errorf("block answered by %s", got)
		}
		if diff := cmp.Diff([]string{"found", "accepted"}, w.backend.takeEvents()); diff != "" {
			t.Errorf("block (-want +got):\n%s", diff)
		}
		if got := m.ask(line); got != refusal("22", "Duplicate share") {
			t.Errorf("same block again answered by %s", got)
		}
		if diff := cmp.Diff([]string{"found", "duplicate"}, w.backend.takeEvents()); diff != "" {
			t.Errorf("same block again (-want +got):\n%s", diff)
		}

		early := solve(t, m.session().extranonce1, j, anyHash)
		for early.Time = 1; !j.Prove(early).Block; early.Nonce++ {
		}
		if got := m.ask(submitLine(j, early)); got != refusal("20", "Ntime out of range") {
			t.Errorf("block of long ago answered by %s", got)
		}
		if diff := cmp.Diff([]string{"found", "time-out-of-range"}, w.backend.takeEvents()); diff != "" {
			t.Errorf("block of long ago (-want +got):\n%s", diff)
		}

		w.server.Publish(w.job(2, easy), true)
		m.received()
		time.Sleep(time.Minute)
		m.received()
		w.backend.takeEvents()
		second := submitLine(j, solve(t, m.session().extranonce1, j, func(p work.Proof) bool { return p.Block && p.Header[76] > 99 }))
		if got := m.ask(second); got != refusal("21", "Stale share") {
			t.Errorf("stale block answered by %s", got)
		}
		if diff := cmp.Diff([]string{"found", "stale"}, w.backend.takeEvents()); diff != "" {
			t.Errorf("stale block (-want +got):\n%s", diff)
		}
	})
}

func TestGrace(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, j := w.readyAt(1e-5)
		lines := make([]string, 3)
		for i := range lines {
			lines[i] = m.mine(j, func(p work.Proof) bool { return share(1e-5)(p) && int(p.Header[76])%3 == i })
		}
		w.server.Publish(w.job(2, hard), true)
		m.received()
		time.Sleep(time.Second)
		if got := m.ask(lines[0]); got != accepted {
			t.Errorf("1 s after the new tip: %s", got)
		}
		if !w.backend.lastAccepted(t).Late {
			t.Error("the share is not marked as late")
		}
		w.server.Publish(w.job(3, hard), true)
		m.received()
		time.Sleep(2500 * time.Millisecond)
		// The tip moved again, but this job's grace has run since the first time.
		if got := m.ask(lines[1]); got != refusal("21", "Stale share") {
			t.Errorf("3.5 s after the new tip: %s", got)
		}
		time.Sleep(time.Minute)
		m.received()
		if got := m.ask(lines[2]); got != refusal("21", "Stale share") {
			t.Errorf("a minute after the new tip: %s", got)
		}
	})
}

// A share for a job from before a change of difficulty counts at the lower of
// the two.
func TestDifficultyOfJob(t *testing.T) {
	inWorld(t, Config{StartDifficulty: 2e-5}, &fakeBackend{}, func(w *world) {
		first := w.job(1, hard)
		w.server.Publish(first, true)
		m := w.ready("cpuminer")
		between := m.mine(first, func(p work.Proof) bool { return share(2e-5)(p) && notShare(8e-5)(p) })

		m.send(`{"id":3,"method":"mining.suggest_difficulty","params":[0.00008]}` + "\n")
		if diff := cmp.Diff([]string{"3 true", "difficulty 0.00008", "job clean=false"}, kinds(m.received())); diff != "" {
			t.Fatalf("suggestion (-want +got):\n%s", diff)
		}
		if got := m.ask(between); got != accepted {
			t.Errorf("share at the old difficulty on the old job: %s", got)
		}
		if got := w.backend.lastAccepted(t).Difficulty; got != 2e-5 {
			t.Errorf("credited %v, want 2e-5", got)
		}

		second := m.session().state.last()
		if second.ID == first.ID || cmp.Equal(second.Coinbase1, first.Coinbase1) {
			t.Error("the job with the new difficulty equals the old one")
		}
		if got := m.ask(m.mine(second, func(p work.Proof) bool { return share(2e-5)(p) && notShare(8e-5)(p) })); got != refusal("23", "Low difficulty share") {
			t.Errorf("share at the old difficulty on the new job: %s", got)
		}
	})
}

func TestSessionInfo(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m, j := w.readyAt(1e-5)
		good := m.mine(j, share(1e-5))
		m.ask(good)
		m.ask(good)
		time.Sleep(time.Minute)
		infos := w.server.Sessions()
		if len(infos) != 1 {
			t.Fatalf("%d sessions", len(infos))
		}
		info := infos[0]
		got := []any{info.UserAgent, len(info.Workers), info.Difficulty, info.Accepted, info.Rejected["duplicate"], info.Best >= 1e-5, info.LastShareAt.IsZero()}
		want := []any{"cpuminer", 1, 1e-5, uint64(1), uint64(1), true, false}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("info (-want +got):\n%s", diff)
		}
		if expected := 1e-5 * hashesPerDifficulty / 60; info.Hashrate < expected*0.8 || info.Hashrate > expected*1.2 {
			t.Errorf("hashrate %v, want about %v", info.Hashrate, expected)
		}
	})
}
