package stratum

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Port, password, BIP310, suggestion, memory, user agent: who beats whom.
func TestClaims(t *testing.T) {
	bitaxe, nerd, nicehash := deviceOf("bitaxe"), deviceOf("nerdminer"), deviceOf("nicehash/1")
	small := Port{Name: "small", Start: 0.0005, Floor: 1e-5}
	high := Port{Name: "high", Start: 524288, Floor: 524288}
	everything := claims{
		wishes: wishes{fixed: 5000, start: 4000, floor: 10}, least: 20, suggested: 3000, remembered: 2000, device: bitaxe,
	}
	but := func(change func(*claims)) claims {
		c := everything
		change(&c)
		return c
	}
	tests := []struct {
		name   string
		claims claims
		rules  Config
		want   float64
		fixed  bool
	}{
		{"nothing", claims{}, Config{}, 1024, false},
		{"user agent", claims{device: bitaxe}, Config{}, 512, false},
		{"operator's start before user agent", claims{device: bitaxe}, Config{StartDifficulty: 64}, 64, false},
		{"port's start before operator's", claims{device: nerd, port: small}, Config{StartDifficulty: 64}, 0.0005, false},
		{"memory, halved, before user agent", claims{device: bitaxe, remembered: 2000}, Config{}, 1000, false},
		{"memory before the port's start", claims{device: nerd, remembered: 0.01, port: small}, Config{}, 0.005, false},
		{"suggestion before memory", claims{device: bitaxe, suggested: 3000, remembered: 2000}, Config{}, 3000, false},
		{"suggestion below BIP310", claims{device: bitaxe, suggested: 3000, least: 4096}, Config{}, 4096, false},
		{"BIP310 is only a floor", claims{device: bitaxe, suggested: 3000, least: 1}, Config{}, 3000, false},
		{"password's th= before suggestion", but(func(c *claims) { c.wishes.fixed = 0 }), Config{}, 4000, false},
		{"password before all wishes", everything, Config{}, 5000, true},
		{"BIP310 above the password", but(func(c *claims) { c.least = 6000 }), Config{}, 6000, true},
		{"password's md= above its d=", but(func(c *claims) { c.wishes.floor = 7000 }), Config{}, 7000, true},
		{"operator's floor before the password", everything, Config{MinDifficulty: 8192}, 8192, true},
		{"operator's ceiling before the password", everything, Config{MaxDifficulty: 100}, 100, true},
		{"port's floor before the password", but(func(c *claims) { c.port = high }), Config{}, 524288, true},
		{"high port ignores lower suggestions", claims{device: bitaxe, suggested: 1000, port: high}, Config{}, 524288, false},
		{"high port takes higher ones", claims{device: bitaxe, suggested: 1e6, port: high}, Config{}, 1e6, false},
		{"high port before a low ceiling", claims{port: high}, Config{MaxDifficulty: 1000}, 524288, false},
		{"small port goes below the operator's floor", claims{device: nerd, port: small, suggested: 0.00015}, Config{MinDifficulty: 1}, 0.00015, false},
		{"small port has a floor", claims{device: nerd, port: small, suggested: 1e-9}, Config{}, 1e-5, false},
		{"ASIC on the small port", claims{device: bitaxe, port: small}, Config{}, 1, false},
		{"rental's floor before the password", claims{device: nicehash, wishes: wishes{fixed: 5}}, Config{}, 524288, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := test.rules.withDefaults()
			start, fixed := test.claims.choose(rules)
			if got := test.claims.limits(rules).fit(start); got != test.want || fixed != test.fixed {
				t.Errorf("starts at %v, fixed %v, want %v, %v", got, fixed, test.want, test.fixed)
			}
		})
	}
}

func TestFamily(t *testing.T) {
	for agent, want := range map[string]string{
		"bitaxe/BM1370/v2.9":        "bitaxe",
		"NerdQAxe++/BM1370/v1.0.30": "nerdqaxe",
		"Unheard-Of/1.0 (x)":        "unheard-of",
		"Some Miner":                "some",
		"":                          "",
	} {
		if got := family(agent); got != want {
			t.Errorf("family(%q) = %q, want %q", agent, got, want)
		}
	}
}

func TestMemoryOfRigs(t *testing.T) {
	inWorld(t, Config{}, rowBackend(), func(w *world) {
		w.server.Recall(Memory{Clean: true, Rigs: []Rig{
			{Address: "addr", Worker: "rig", Family: "bitaxe", Difficulty: 3000},
			{Address: "addr", Worker: "rig", Family: "cpuminer", Difficulty: -1},
		}})
		if got := w.server.Changed(); len(got) != 0 {
			t.Errorf("recalled rigs are told of again: %v", got)
		}
		w.server.Publish(w.job(1, hard), true)
		for agent, want := range map[string]string{
			"bitaxe/BM1370/v2.9": "difficulty 1500", // half of what it had
			"cpuminer/2.5.1":     "difficulty 0.02",
			"Antminer S21/":      "difficulty 65536", // the same name on another device
		} {
			m := w.connect()
			m.send(subscribeLine(agent) + authorizeLine)
			if got := kinds(m.received()); len(got) != 4 || got[2] != want {
				t.Errorf("%s: received %q, want %s", agent, got, want)
			}
		}
	})
}

// A difficulty is remembered once it has proved right.
func TestDifficultyIsNoted(t *testing.T) {
	inWorld(t, Config{StartDifficulty: 1e-5}, rowBackend(), func(w *world) {
		job := w.job(1, hard)
		w.server.Publish(job, true)
		m := w.ready("cpuminer/2.5.1")
		s := solve(t, m.session().extranonce1, job, share(1e-5))
		for i := range calmShares {
			if got := w.server.Changed(); len(got) != 0 {
				t.Fatalf("noted %v after %d shares", got, i)
			}
			for !share(1e-5)(job.Prove(s)) {
				s.Nonce++
			}
			if got := m.ask(submitLine(job, s)); got != accepted {
				t.Fatal(got)
			}
			s.Nonce++
			time.Sleep(4 * time.Second)
			m.received()
		}
		_ = m.conn.Close()
		m.closed()
		got := w.server.Changed()
		for i := range got {
			got[i].At = time.Time{}
		}
		want := []Rig{{Address: "addr", Worker: "rig", Family: "cpuminer", Difficulty: 1e-5}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("noted (-want +got):\n%s", diff)
		}
	})
}
