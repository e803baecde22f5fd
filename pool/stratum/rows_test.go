package stratum

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The rows of the specification's table of test cases (stratum.md section 8)
// are the subtests of TestRows…, under their numbers. Those that are about
// something else than the wire are shown elsewhere:
//
//	row 14  the texts about addresses          pool: TestRefusal
//	row 17  user addr.rig+2048, the grammar    pool: TestParseUsername
//	row 29, 30  published vectors              pool/work: TestPublicVectors
//	row 43, 44  exact targets                  pool/work: TestJudgeDifficulty, TestMeets
//	row 49  height pushes, accepted by a node  pool/work: TestHeightPush, TestWitnessAtAllHeights; pool/node: TestBitcoindMining
//	row 50  200 blocks on regtest              pool/node: TestBitcoindMining; cmd/dmpool: TestE2E
//	row 51  tags of 75 and 76 bytes            pool/work: TestNewJobRefuses; pool: TestCoinbaseTag
//	row 52  coinbase of 255 bytes              pool/work: TestDefaultCoinbaseIsSmall
//	row 62  restart under socket activation    appliance: TestRowsSocketActivation; here: TestRowsRestart
//	row 65  answers of submitblock             pool: TestBlockIsSubmittedUntilTheNodeAnswers, TestFault37CrashBeforeSubmit
//	row 66  two blocks at once                 pool: TestSameBlockTwiceIsBookedOnce; here as well
type row struct {
	name   string
	config Config
	test   func(w *world)
}

func runRows(t *testing.T, rows []row) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { inWorld(t, r.config, rowBackend(), r.test) })
	}
}

// rowBackend knows addresses of two networks, and of two people.
func rowBackend() *fakeBackend {
	return &fakeBackend{authorize: func(username string) (Worker, error) {
		address, name, _ := strings.Cut(username, ".")
		switch {
		case strings.HasPrefix(address, "tb1"):
			return Worker{}, &RefusalError{"Address is for testnet"}
		case strings.HasPrefix(address, "addr"):
		default:
			return Worker{}, &RefusalError{"Address is not valid"}
		}
		w := Worker{Address: address, Name: name}
		if name, _, found := strings.Cut(name, "+2048"); found {
			w.Name, w.FixedDifficulty = name, 2048
		}
		return w, nil
	}}
}

// expect sends text and compares what arrives, in words.
func (m *miner) expect(what, text string, want ...string) {
	m.w.Helper()
	m.send(text + "\n")
	if diff := cmp.Diff(want, kinds(m.received())); diff != "" {
		m.w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func request(id, method, params string) string {
	return `{"id":` + id + `,"method":"mining.` + method + `","params":` + params + `}`
}

func TestRowsHandshake(t *testing.T) {
	const ok = `{"id":7,"result":true,"error":null}`
	const fullMask = `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`
	configure := func(params string) string { return request("7", "configure", params) }
	runRows(t, []row{
		{"row 1 subscribe without params", Config{}, func(w *world) {
			m := w.connect()
			sid := m.session().id
			want := `{"id":1,"result":[[["mining.notify","` + sid + `"],["mining.set_difficulty","` + sid + `"]],"` + sid + `",8],"error":null}`
			if got := m.ask(request("1", "subscribe", "[]")); got != want || len(sid) != 8 {
				w.Errorf("got %s, want %s", got, want)
			}
		}},
		{"row 2 ids are echoed as they came", Config{}, func(w *world) {
			for _, id := range []string{`"auth"`, "null", "3587155", "1.5"} {
				if got := w.connect().ask(request(id, "subscribe", "[]")); !strings.HasPrefix(got, `{"id":`+id+",") {
					w.Errorf("id %s echoed in %s", id, got)
				}
			}
			if got := w.connect().ask(`{"method":"mining.subscribe","params":[]}`); !strings.HasPrefix(got, `{"id":null,`) {
				w.Errorf("no id echoed in %s", got)
			}
		}},
		{"row 3 subscribe twice", Config{}, func(w *world) {
			m := w.connect()
			if first, second := m.ask(request("1", "subscribe", "[]")), m.ask(request("1", "subscribe", `["x","`+m.session().id+`"]`)); first != second {
				w.Errorf("first %s, then %s", first, second)
			}
		}},
		{"row 4 three requests in one segment", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			w.connect().expect("answers", request("1", "configure", `[["version-rolling"],{}]`)+"\n"+
				request("2", "subscribe", `["bitaxe"]`)+"\n"+request("3", "authorize", `["addr.w","x"]`),
				"1 "+fullMask, "2 subscribed", "3 true", "difficulty 512", "job clean=true")
		}},
		{"row 6 authorize before subscribe", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			m := w.connect()
			m.expect("authorize", request("1", "authorize", `["addr.w"]`), "1 true")
			w.server.Publish(w.job(1, hard), false)
			m.expect("subscribe", request("2", "subscribe", `["bitaxe"]`), "2 subscribed", "difficulty 512", "job clean=true")
		}},
		{"row 7 configure after the first job", Config{}, func(w *world) {
			m, job := w.readyAt(1e-5)
			m.expect("configure", configure(`[["version-rolling"],{"version-rolling.mask":"00006000"}]`),
				`7 {"version-rolling":true,"version-rolling.mask":"00006000"}`)
			s := solve(w.T, m.session().extranonce1, job, anyHash)
			for s.Version |= 0x4000; !share(1e-5)(job.Prove(s)); s.Nonce++ {
			}
			if got := m.ask(strings.TrimSuffix(submitLine(job, s), "]}") + `,"00004000"]}`); got != accepted {
				w.Errorf("rolled share: %s", got)
			}
		}},
		{"row 8 mask ffffffff", Config{}, func(w *world) {
			w.connect().expect("configure", configure(`[["version-rolling"],{"version-rolling.mask":"ffffffff"}]`), "7 "+fullMask)
		}},
		{"row 9 bits outside the agreed mask", Config{}, func(w *world) {
			m, job := w.readyAt(1e-5)
			m.ask(configure(`[["version-rolling"],{"version-rolling.mask":"00003000"}]`))
			line := strings.TrimSuffix(m.mine(job, anyHash), "]}") + `,"00004000"]}`
			if got, want := m.ask(line), refusal("20", "Invalid version bits"); got != want {
				w.Errorf("got %s, want %s", got, want)
			}
		}},
		{"row 11 configure without sense", Config{}, func(w *world) {
			m := w.connect()
			for _, params := range []string{"[]", "{}", "[{}]", "null"} {
				m.expect(params, configure(params), `7 [20,"Malformed params",null]`)
			}
		}},
		{"row 12 authorize in all shapes", Config{}, func(w *world) {
			m := w.connect()
			for _, params := range []string{`["addr.w"]`, `["addr.w",""]`, `["addr.w",null]`, `["addr.w","x","y"]`, `["addr.w",""],"ttl":2`} {
				if got := m.ask(request("7", "authorize", params)); got != ok {
					w.Errorf("%s: %s", params, got)
				}
			}
		}},
		{"row 13 authorize without a name", Config{}, func(w *world) {
			m := w.connect()
			for _, params := range []string{"[]", `[""]`, "[5]"} {
				m.expect(params, request("7", "authorize", params), `7 [24,"Unauthorized worker",null]`)
			}
		}},
		{"row 14 address of another network", Config{}, func(w *world) {
			m := w.connect()
			m.expect("authorize", request("7", "authorize", `["tb1qxyz.w"]`), `7 [24,"Address is for testnet",null]`)
			time.Sleep(handshakeTime - time.Second)
			m.expect("tries again", request("7", "authorize", `["addr.w"]`), "7 true")
		}},
		{"row 16 difficulty in the password", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			for password, want := range map[string]string{"d=5000": "5000", "x,d=5000": "5000", "D=5k": "5000", "password=1": "512"} {
				m := w.connect()
				m.send(subscribeLine("bitaxe"))
				m.received()
				m.expect(password, request("3", "authorize", `["addr.w","`+password+`"]`), "3 true", "difficulty "+want, "job clean=true")
			}
		}},
		{"row 17 difficulty in the username", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			m := w.connect()
			m.send(subscribeLine("bitaxe"))
			m.received()
			m.expect("authorize", request("3", "authorize", `["addr.rig+2048","x"]`), "3 true", "difficulty 2048", "job clean=true")
			if name := w.server.Sessions()[0].Workers[0].Name; name != "rig" {
				w.Errorf("worker %q, want rig", name)
			}
		}},
		{"row 18 NerdMiner repeats its suggestion", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			m := w.ready("NerdMinerV2/V1.8.3")
			suggest := request("3", "suggest_difficulty", "[0.00015]")
			m.expect("first", suggest, "3 true", "difficulty 0.00015", "job clean=false")
			for range 3 {
				time.Sleep(15 * time.Second)
				m.expect("again", suggest, "3 true")
			}
		}},
		{"row 19 Bitaxe suggests 1000", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			w.ready("bitaxe/BM1370/v2.9").expect("suggestion", request("4", "suggest_difficulty", "[1000]"), "4 true", "difficulty 1000", "job clean=false")
		}},
		{"row 20 suggestions without sense", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			m := w.ready("bitaxe")
			for _, params := range []string{`["abc"]`, "[-1]", "[1e30]", "[]", "[null]", "{}"} {
				m.expect(params, request("7", "suggest_difficulty", params), "7 true")
			}
		}},
		{"row 21 suggest_target without id", Config{}, func(w *world) {
			m := w.connect()
			m.send(request("null", "suggest_target", `["00ff"]`) + "\n")
			if got := m.received(); got != nil {
				w.Errorf("answered %q", got)
			}
			m.expect("subscribe", request("0", "subscribe", "[]"), "0 subscribed")
		}},
		{"row 22 extranonce.subscribe before authorize", Config{}, func(w *world) {
			w.connect().expect("answer", request("7", "extranonce.subscribe", "[]"), "7 true")
		}},
		{"row 24 unknown methods", Config{}, func(w *world) {
			m := w.connect()
			m.expect("with id", request("7", "capabilities", "[]"), `7 [-3,"Method not found",null]`)
			m.send(request("null", "hashrate", "[1]") + "\n")
			if got := m.received(); got != nil || m.closed() {
				w.Errorf("without id: answered %q, closed %v", got, m.closed())
			}
		}},
		{"row 25 lines that are not JSON", Config{}, func(w *world) {
			m := w.connect()
			for i := range parseErrors {
				if m.closed() {
					w.Errorf("closed after %d", i)
				}
				m.expect("bad line", "{bad json", `null [-32700,"Parse error",null]`)
				time.Sleep(10 * time.Second / parseErrors)
			}
			if !m.closed() {
				w.Error("open after the fifth")
			}
		}},
		{"row 26 other protocols", Config{}, func(w *world) {
			for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "{" + strings.Repeat("x", 9<<10)} {
				for range 3 * failureLimit { // the pipe has a private address: no ban
					m := w.connect()
					_, _ = m.conn.Write([]byte(text)) // the rest of it meets a closed connection
					if got := m.received(); got != nil || !m.closed() {
						w.Fatalf("%.20q: answered %q, closed %v", text, got, m.closed())
					}
				}
			}
			w.connect().expect("a miner", request("1", "subscribe", "[]"), "1 subscribed")
		}},
		{"row 56 a hundred probes", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			for range 100 {
				m := w.connect()
				m.send(subscribeLine("bitaxe") + authorizeLine)
				if first := m.receivedSegments()[0]; len(first) > 1023 && !strings.Contains(first[:1023], "mining.notify") || !strings.Contains(first, "mining.notify") {
					w.Fatalf("first segment %q", first)
				}
				_ = m.conn.Close()
			}
			synctest.Wait()
			if n := len(w.server.Sessions()); n != 0 {
				w.Errorf("%d sessions left", n)
			}
			if got := w.backend.takeEvents(); got != nil {
				w.Errorf("the backend was told %q", got)
			}
		}},
		{"row 58 one worker, many sessions", Config{}, func(w *world) {
			w.server.Publish(w.job(1, hard), true)
			ids := map[string]bool{}
			for range 64 {
				w.ready("x")
			}
			for _, info := range w.server.Sessions() {
				ids[info.ID] = true
				if info.Workers[0].Name != "rig" {
					w.Errorf("worker %q", info.Workers[0].Name)
				}
			}
			if len(ids) != 64 {
				w.Errorf("%d different extranonce1, want 64", len(ids))
			}
		}},
		{"row 68 quotation mark in a password", Config{}, func(w *world) {
			m := w.connect()
			m.expect("authorize", `{"id":3,"method":"mining.authorize","params":["addr.w","a"b"]}`, `null [-32700,"Parse error",null]`)
			m.expect("goes on", request("4", "authorize", `["addr.w","ab"]`), "4 true")
		}},
	})
}

// A suggestion between subscribe and authorize must not leave a miner without
// a job, whatever the order of the requests.
func TestSuggestionBetweenSubscribeAndAuthorize(t *testing.T) {
	steps := []string{
		request("1", "subscribe", `["bitaxe"]`), request("2", "suggest_difficulty", "[1000]"),
		request("3", "authorize", `["addr.w"]`), request("4", "configure", `[["version-rolling"]]`),
	}
	var orders func(chosen, left []string)
	orders = func(chosen, left []string) {
		if len(left) == 0 {
			for _, separator := range []string{"\n", "\n\n"} {
				inWorld(t, Config{}, rowBackend(), func(w *world) {
					w.server.Publish(w.job(1, hard), true)
					m := w.connect()
					m.send(strings.Join(chosen, separator) + "\n")
					got := kinds(m.received())
					if len(got) < 6 || got[len(got)-1] != "job clean=true" && got[len(got)-1] != "job clean=false" {
						t.Errorf("%q: received %q", chosen, got)
					}
				})
			}
		}
		for i := range left {
			rest := append(append([]string(nil), left[:i]...), left[i+1:]...)
			orders(append(chosen[:len(chosen):len(chosen)], left[i]), rest)
		}
	}
	orders(nil, steps)
}

// What a server is never to send: no session gets anything but answers,
// difficulties, jobs and, in the end, client.reconnect.
func TestWhatIsSent(t *testing.T) {
	inWorld(t, Config{}, rowBackend(), func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.ready("gminer/ESP-Miner 2.14")
		for i := range 18 { // three minutes of nothing but invalid shares
			w.server.Publish(w.job(byte(i), hard), false)
			m.send(request("null", "submit", fmt.Sprintf(`["addr.rig","%08x","00","00","00"]`, i)) + "\n")
			time.Sleep(10 * time.Second)
		}
		for _, line := range m.received() {
			message, err := ParseMessage([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			switch message.Method {
			case "", "mining.set_difficulty", "mining.notify", "client.reconnect":
			default:
				t.Errorf("sent %s", line)
			}
		}
	})
}
