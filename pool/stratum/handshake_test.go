package stratum

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kind says what a line is, in a few words.
func kind(line string) string {
	m, err := ParseMessage([]byte(line))
	if err != nil {
		return "unreadable " + line
	}
	switch m.Method {
	case "mining.set_difficulty":
		return "difficulty " + strings.Trim(string(m.Params), "[]")
	case "mining.notify":
		n, err := ParseNotify(m.Params)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("job clean=%v", n.Clean)
	}
	result := string(m.Result)
	switch {
	case string(m.Error) != "null":
		result = string(m.Error)
	case strings.Contains(result, "mining.notify"):
		result = "subscribed"
	}
	return string(m.ID) + " " + result
}

func kinds(lines []string) (list []string) {
	for _, line := range lines {
		list = append(list, kind(line))
	}
	return list
}

// The orders in which firmware is known to introduce itself (stratum.md 1.3);
// each element is one segment, and the miner waits for the answers between
// them.
func TestHandshakeOrders(t *testing.T) {
	const mask = `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`
	tests := []struct {
		name string
		send []string
		want []string
	}{
		{"ESP-Miner, all in one segment", []string{
			`{"id": 1, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}
			{"id": 2, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.9"]}
			{"id": 3, "method": "mining.authorize", "params": ["addr.bitaxe", "x"]}`,
			`{"id": 4, "method": "mining.suggest_difficulty", "params": [1000]}
			{"id": 5, "method": "mining.extranonce.subscribe", "params": []}`,
		}, []string{"1 " + mask, "2 subscribed", "3 true", "difficulty 512", "job clean=true", "4 true", "5 true", "difficulty 1000", "job clean=false"}},
		{"ESP-Miner probe", []string{
			`{"id": 1, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.9"]}
			{"id": 2, "method": "mining.authorize", "params": ["addr.bitaxe", "x"]}`,
		}, []string{"1 subscribed", "2 true", "difficulty 512", "job clean=true"}},
		{"NerdQAxe, one burst", []string{
			`{"id":1,"method":"mining.subscribe","params":["NerdQAxe++/BM1370/v1.0.30"]}
			{"id":2,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}
			{"id":3,"method":"mining.authorize","params":["addr.q","x"]}
			{"id":4,"method":"mining.suggest_difficulty","params":[1000]}
			{"id":5,"method":"mining.extranonce.subscribe","params":[]}`,
		}, []string{"1 subscribed", "2 " + mask, "3 true", "4 true", "5 true", "difficulty 1000", "job clean=true"}},
		{"NerdMiner", []string{
			`{"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/V1.8.3"]}`,
			`{"params": ["addr.nerd", "x"], "id": 2, "method": "mining.authorize"}`,
			`{"id": 3, "method": "mining.suggest_difficulty", "params": [0.00015]}`,
		}, []string{"1 subscribed", "2 true", "difficulty 0.0005", "job clean=true", "3 true", "difficulty 0.00015", "job clean=false"}},
		{"cgminer and Avalon", []string{
			`{"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}]}`,
			`{"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}`,
			`{"id": 2, "method": "mining.authorize", "params": ["addr.a", "123"]}`,
		}, []string{"0 " + mask, "1 subscribed", "2 true", "difficulty 1024", "job clean=true"}},
		{"S9", []string{
			`{"id": 0, "method": "mining.subscribe", "params": ["bmminer/2.0.0/Antminer S9/13500"]}`,
			`{"id": 1, "method": "mining.extranonce.subscribe", "params": []}`,
			`{"id": 2, "method": "mining.authorize", "params": ["addr.s9", ""]}`,
		}, []string{"0 subscribed", "1 true", "2 true", "difficulty 8192", "job clean=true"}},
		{"cpuminer", []string{
			`{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}`,
			`{"id": 2, "method": "mining.authorize", "params": ["addr", ""]}`,
		}, []string{"1 subscribed", "2 true", "difficulty 0.02", "job clean=true"}},
		{"BFGMiner", []string{
			`{"id":null,"method":"mining.suggest_target","params":["00000000ffff0000000000000000000000000000000000000000000000000000"]}
			{"id":0,"method":"mining.subscribe","params":["bfgminer/5.5.0"]}`,
			`{"id":"xnsub","method":"mining.extranonce.subscribe","params":[]}
			{"id":"auth","method":"mining.authorize","params":["addr","x"]}
			{"id":"txlist01","method":"mining.get_transactions","params":["01"]}`,
		}, []string{
			"0 subscribed", `"xnsub" true`, `"auth" true`, `"txlist01" [20,"Not supported",null]`, "difficulty 64", "job clean=true",
		}},
		{"WhatsMiner", []string{
			`{"id":3587155,"method":"mining.subscribe","params":["whatsminer/v1.0","68c53cbf"],"ttl":2}`,
			`{"id":3587156,"method":"mining.authorize","params":["addr.w",""],"ttl":2}`,
		}, []string{"3587155 subscribed", "3587156 true", "difficulty 65536", "job clean=true"}},
		{"Braiins prober", []string{
			`{"id":1,"method":"mining.subscribe","params":[]}`,
			`{"id":2,"method":"mining.authorize","params":["addr.braiins"]}`,
		}, []string{"1 subscribed", "2 true", "difficulty 1024", "job clean=true"}},
		{"authorize before subscribe", []string{
			`{"id":1,"method":"mining.authorize","params":["addr"]}`,
			`{"id":2,"method":"mining.subscribe","params":[]}`,
		}, []string{"1 true", "2 subscribed", "difficulty 1024", "job clean=true"}},
		{"subscribe in two segments and with CR", []string{"{\"id\":1,\"method\":\"mining.\x00"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
				w.server.Publish(w.job(1, 0x1703255b), true)
				m := w.connect()
				var lines []string
				for _, text := range test.send {
					if before, split := strings.CutSuffix(text, "\x00"); split {
						m.send("\r\n\n" + before)
						m.send("subscribe\",\"params\":[]}\r\n\r")
						test.want = []string{"1 subscribed"}
					} else {
						m.send(text + "\n")
					}
					lines = append(lines, m.received()...)
				}
				if diff := cmp.Diff(test.want, kinds(lines)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The first job leaves in the same write as the answer to authorize.
func TestFirstJobComesWithAuthorize(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, easy), true)
		m := w.connect()
		m.send(subscribeLine("x"))
		if got := m.receivedSegments(); len(got) != 1 {
			t.Fatalf("subscribe answered by %q", got)
		}
		m.send(authorizeLine)
		segments := m.receivedSegments()
		if len(segments) != 1 {
			t.Fatalf("authorize answered by %d writes: %q", len(segments), segments)
		}
		want := []string{"2 true", "difficulty 0.0000000004656542373906924", "job clean=true"}
		if diff := cmp.Diff(want, kinds(strings.SplitAfter(segments[0], "\n")[:3])); diff != "" {
			t.Errorf("received (-want +got):\n%s", diff)
		}
	})
}

func TestHandshakeBeforeFirstJob(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.connect()
		m.send(subscribeLine("cpuminer/2.5.1") + authorizeLine)
		if diff := cmp.Diff([]string{"1 subscribed", "2 true"}, kinds(m.received())); diff != "" {
			t.Errorf("before the first job (-want +got):\n%s", diff)
		}
		w.server.Publish(w.job(1, 0x1703255b), false)
		if diff := cmp.Diff([]string{"difficulty 0.02", "job clean=true"}, kinds(m.received())); diff != "" {
			t.Errorf("first job (-want +got):\n%s", diff)
		}
		w.server.Publish(w.job(1, 0x1703255b), false)
		if diff := cmp.Diff([]string{"job clean=false"}, kinds(m.received())); diff != "" {
			t.Errorf("second job (-want +got):\n%s", diff)
		}
		w.server.Publish(w.job(2, 0x1703255b), false)
		if diff := cmp.Diff([]string{"job clean=true"}, kinds(m.received())); diff != "" {
			t.Errorf("job on a new tip (-want +got):\n%s", diff)
		}
	})
}

func TestSubscribe(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.connect()
		sid := m.session().id
		want := `,"result":[[["mining.notify","` + sid + `"],["mining.set_difficulty","` + sid + `"]],"` + sid + `",8],"error":null}`
		for _, id := range []string{`"auth"`, `null`, `3587155`, `1.5`, `-1`, `{"a":[1]}`} {
			if got := m.ask(`{"id":` + id + `,"method":"mining.subscribe","params":["ua"]}`); got != `{"id":`+id+want {
				t.Errorf("subscribe with id %s = %s, want %s", id, got, want)
			}
		}
		if got := m.ask(`{"method":"mining.subscribe","params":["ua",null,"host",3333]}`); got != `{"id":null`+want {
			t.Errorf("subscribe without id = %s, want %s", got, want)
		}
	})
}

func TestAnswers(t *testing.T) {
	backend := &fakeBackend{authorize: func(username string) (Worker, error) {
		switch username {
		case "tb1q.w":
			return Worker{}, &RefusalError{"Address is for testnet"}
		case "broken":
			return Worker{}, errDisk
		}
		return Worker{Address: username}, nil
	}}
	const ok = `{"id":7,"result":true,"error":null}`
	fail := func(triple string) string { return `{"id":7,"result":null,"error":` + triple + `}` }
	result := func(r string) string { return `{"id":7,"result":` + r + `,"error":null}` }
	authorize := func(params string) string { return `{"id":7,"method":"mining.authorize","params":` + params + `}` }
	configure := func(params string) string { return `{"id":7,"method":"mining.configure","params":` + params + `}` }
	suggest := func(params string) string {
		return `{"id":7,"method":"mining.suggest_difficulty","params":` + params + `}`
	}
	tests := []struct{ name, line, want string }{
		{"name only", authorize(`["addr.w"]`), ok},
		{"empty password", authorize(`["addr.w",""]`), ok},
		{"null password", authorize(`["addr.w",null]`), ok},
		{"three params", authorize(`["addr.w","x","y"]`), ok},
		{"unknown member", `{"id":7,"method":"mining.authorize","params":["addr.w",""],"ttl":2}`, ok},
		{"no name", authorize(`[]`), fail(`[24,"Unauthorized worker",null]`)},
		{"empty name", authorize(`[""]`), fail(`[24,"Unauthorized worker",null]`)},
		{"number for a name", authorize(`[5]`), fail(`[24,"Unauthorized worker",null]`)},
		{"name too long", authorize(`["` + strings.Repeat("a", 257) + `"]`), fail(`[24,"Unauthorized worker",null]`)},
		{"wrong network", authorize(`["tb1q.w"]`), fail(`[24,"Address is for testnet",null]`)},
		{"backend in trouble", authorize(`["broken"]`), fail(`[20,"Try again later",null]`)},

		{"full mask", configure(`[["version-rolling"],{"version-rolling.mask":"ffffffff"}]`), result(`{"version-rolling":true,"version-rolling.mask":"1fffe000"}`)},
		{"small mask", configure(`[["version-rolling"],{"version-rolling.mask":"00003000"}]`), result(`{"version-rolling":true,"version-rolling.mask":"00002000"}`)},
		{"no mask", configure(`[["version-rolling"]]`), result(`{"version-rolling":true,"version-rolling.mask":"1fffe000"}`)},
		{"disjoint mask", configure(`[["version-rolling"],{"version-rolling.mask":"00001fff"}]`), result(`{"version-rolling":false}`)},
		{"mask that is none", configure(`[["version-rolling"],{"version-rolling.mask":"xyz"}]`), result(`{"version-rolling":false}`)},
		{
			"all extensions", configure(`[["minimum-difficulty","subscribe-extranonce","info","te\"st"],{"minimum-difficulty.value":2048}]`),
			result(`{"minimum-difficulty":true,"subscribe-extranonce":true,"info":true,"te\"st":false}`),
		},
		{"negative minimum", configure(`[["minimum-difficulty"],{"minimum-difficulty.value":-1}]`), result(`{"minimum-difficulty":false}`)},
		{"no extensions", configure(`[[],{}]`), result(`{}`)},
		{"empty configure", configure(`[]`), fail(`[20,"Malformed params",null]`)},
		{"object for params", configure(`{}`), fail(`[20,"Malformed params",null]`)},
		{"string for options", configure(`[["info"],"x"]`), fail(`[20,"Malformed params",null]`)},

		{"suggest integer", suggest(`[1000]`), ok},
		{"suggest string", suggest(`["1000"]`), ok},
		{"suggest bare", suggest(`1000`), ok},
		{"suggest in the method", `{"id":7,"method":"mining.suggest_difficulty(1000)","params":[]}`, ok},
		{"suggest a word", suggest(`["abc"]`), ok},
		{"suggest a negative", suggest(`[-1]`), ok},
		{"suggest too much", suggest(`[1e30]`), ok},
		{"suggest nothing", suggest(`[]`), ok},
		{"suggest target", `{"id":7,"method":"mining.suggest_target","params":["00ff"]}`, ok},
		{"extranonce", `{"id":7,"method":"mining.extranonce.subscribe","params":[]}`, ok},

		{"get_transactions", `{"id":7,"method":"mining.get_transactions","params":["01"]}`, fail(`[20,"Not supported",null]`)},
		{"unknown method", `{"id":7,"method":"mining.capabilities","params":[]}`, fail(`[-3,"Method not found",null]`)},
		{"unknown method without id", `{"id":null,"method":"mining.hashrate","params":[]}`, ""},
		{"answer", `{"id":7,"result":"pong","error":null}`, ""},
		{"pong", `{"id":7,"method":"pong","params":[]}`, ""},
		{"no JSON", `{bad json`, `{"id":null,"result":null,"error":[-32700,"Parse error",null]}`},
		{"quote in a password", `{"id":7,"method":"mining.authorize","params":["a","x"y"]}`, `{"id":null,"result":null,"error":[-32700,"Parse error",null]}`},
	}
	inWorld(t, Config{}, backend, func(w *world) {
		for _, test := range tests {
			m := w.connect()
			m.send(test.line + "\n")
			got := strings.TrimSuffix(strings.Join(m.received(), ""), "\n")
			if got != test.want {
				t.Errorf("%s: %s\n got %s\nwant %s", test.name, test.line, got, test.want)
			}
			if m.closed() {
				t.Errorf("%s: connection closed", test.name)
			}
		}
	})
}

func TestFirstDifficulty(t *testing.T) {
	tests := []struct {
		name, agent, user, password, before string
		config                              Config
		want                                string
	}{
		{name: "by agent", agent: "bitaxe/BM1370/v2.9", want: "512"},
		{name: "unknown agent", agent: "x", want: "1024"},
		{name: "configured start", agent: "bitaxe", config: Config{StartDifficulty: 64}, want: "64"},
		{name: "configured minimum", agent: "cpuminer", config: Config{MinDifficulty: 16}, want: "16"},
		{name: "configured maximum", agent: "Antminer S21/", config: Config{MaxDifficulty: 4096}, want: "4096"},
		{name: "password", agent: "x", password: "d=5000", want: "5000"},
		{name: "password behind another", agent: "x", password: "x,d=5000", want: "5000"},
		{name: "password with suffix", agent: "x", password: "D=5k", want: "5000"},
		{name: "no boundary before d", agent: "x", password: "password=1", want: "1024"},
		{name: "fraction for an ASIC", agent: "bitaxe", password: "d=0.25", want: "1"},
		{name: "fraction for a CPU", agent: "cpuminer", password: "d=0.25", want: "0.25"},
		{name: "minimum in password", agent: "x", password: "md=4096", want: "4096"},
		{name: "terahashes", agent: "x", password: "th=1", want: "931"},
		{name: "username", agent: "x", user: "addr.rig+2048", want: "2048"},
		{name: "password before username", agent: "x", user: "addr.rig+2048", password: "d=99", want: "99"},
		{name: "rental floor", agent: "NiceHash/1.0.0", password: "d=5", want: "524288"},
		{name: "suggestion", agent: "bitaxe", before: `"mining.suggest_difficulty","params":[1000]`, want: "1000"},
		{name: "password before suggestion", agent: "x", password: "d=7", before: `"mining.suggest_difficulty","params":[1000]`, want: "7"},
		{
			name: "minimum-difficulty", agent: "cpuminer", want: "2048",
			before: `"mining.configure","params":[["minimum-difficulty"],{"minimum-difficulty.value":2048}]`,
		},
	}
	backend := &fakeBackend{authorize: func(username string) (Worker, error) {
		name, suffix, _ := strings.Cut(username, "+")
		var d float64
		_ = json.Unmarshal([]byte(suffix), &d)
		return Worker{Name: name, FixedDifficulty: d}, nil
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, test.config, backend, func(w *world) {
				w.server.Publish(w.job(1, 0x1703255b), true)
				m := w.connect()
				if test.before != "" {
					m.send(`{"id":9,"method":` + test.before + "}\n")
				}
				user := test.user
				if user == "" {
					user = "addr"
				}
				m.send(subscribeLine(test.agent) + `{"id":2,"method":"mining.authorize","params":["` + user + `","` + test.password + "\"]}\n")
				if got := kinds(m.received()); !slices.Contains(got, "difficulty "+test.want) {
					t.Errorf("received %q, want difficulty %s", got, test.want)
				}
			})
		})
	}
}

func TestSuggestAgain(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, 0x1703255b), true)
		m := w.ready("NerdMinerV2/V1.8.3")
		m.received()
		const suggest = `{"id":3,"method":"mining.suggest_difficulty","params":[0.00015]}`
		m.send(suggest + "\n")
		if diff := cmp.Diff([]string{"3 true", "difficulty 0.00015", "job clean=false"}, kinds(m.received())); diff != "" {
			t.Errorf("first suggestion (-want +got):\n%s", diff)
		}
		for range 10 {
			if got := m.ask(suggest); got != `{"id":3,"result":true,"error":null}` {
				t.Errorf("repeated suggestion answered by %s", got)
			}
		}
	})
}

// Each job of its own is remembered for minutes: a miner that suggests another
// difficulty with every line must not fill the memory with them.
func TestSuggestAllTheTime(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, 0x1703255b), true)
		m := w.ready("cpuminer/2.5.1")
		jobs := 0
		for i := range 1000 {
			m.send(fmt.Sprintf(`{"id":3,"method":"mining.suggest_difficulty","params":[%d]}`+"\n", 1+i%2))
			for _, kind := range kinds(m.received()) {
				if strings.HasPrefix(kind, "job") {
					jobs++
				}
			}
		}
		if jobs == 0 || jobs > extraBurst {
			t.Errorf("%d jobs at once, want 1 to %d", jobs, extraBurst)
		}

		// What was not sent at once is not lost.
		m.send(`{"id":3,"method":"mining.suggest_difficulty","params":[0.5]}` + "\n")
		m.received()
		time.Sleep(2 * tickTime)
		if diff := cmp.Diff([]string{"difficulty 0.5", "job clean=false"}, kinds(m.received())); diff != "" {
			t.Errorf("after a while (-want +got):\n%s", diff)
		}
	})
}

func TestHandshakeTimeout(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		idle, probing := w.connect(), w.connect()
		probing.send(subscribeLine("x"))
		time.Sleep(handshakeTime / 2)
		probing.send(subscribeLine("x"))
		time.Sleep(handshakeTime/2 - time.Second)
		synctest.Wait()
		if idle.closed() || probing.closed() {
			t.Error("closed before the time")
		}
		time.Sleep(2 * time.Second)
		if !idle.closed() || !probing.closed() {
			t.Error("a connection without a handshake stays open")
		}
	})
}
