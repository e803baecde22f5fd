package minersim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// badPool answers each method by a template, and everything else with true.
// When it has let the device in it says what is in then.
type badPool struct {
	answers map[string]string
	then    []string
}

const (
	goodSubscription  = `{"id":$id,"result":[[["mining.notify","5eed0001"],["mining.set_difficulty","5eed0001"]],"5eed0001",8],"error":null}`
	goodConfiguration = `{"id":$id,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000","minimum-difficulty":true,"subscribe-extranonce":true},"error":null}`
	setDifficulty     = `{"id":null,"method":"mining.set_difficulty","params":[1024]}`
)

// dial connects a device to the pool.
func (p badPool) dial(context.Context) (net.Conn, error) {
	device, pool := net.Pipe()
	replies := make(chan string, 100) // so that a burst of requests finds a reader
	go func() {
		defer close(replies)
		for lines := bufio.NewScanner(pool); lines.Scan(); {
			var r struct {
				ID     json.RawMessage
				Method string
			}
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				panic(err)
			}
			answer := `{"id":$id,"result":true,"error":null}`
			switch text, ok := p.answers[r.Method]; {
			case ok:
				answer = text
			case r.Method == "mining.subscribe":
				answer = goodSubscription
			case r.Method == "mining.configure":
				answer = goodConfiguration
			}
			if answer != "" && string(r.ID) != "null" {
				replies <- strings.ReplaceAll(answer, "$id", string(r.ID)) + "\n"
			}
			if r.Method == "mining.authorize" {
				for _, line := range p.then {
					replies <- line + "\n"
				}
			}
		}
	}()
	go func() {
		for text := range replies {
			if _, err := pool.Write([]byte(text)); err != nil {
				_ = pool.Close()
			}
		}
		_ = pool.Close()
	}()
	return device, nil
}

// notify is a job whose parts a test may replace, in pairs of old and new.
func notify(replace ...string) string {
	const good = `{"id":null,"method":"mining.notify","params":["J1","PREV","COINBASE10000000a","COINBASE2",["BRANCH"],"20000000","1d00ffff","68d0c2aa",true]}`
	parts := strings.NewReplacer(append(replace,
		"PREV", strings.Repeat("0123abcd", 8),
		"COINBASE1", "0100000001"+strings.Repeat("00", 32)+"ffffffff"+"16"+"0340d10c", // height
		"COINBASE2", "ffffffff"+"00"+"00000000",
		"BRANCH", strings.Repeat("cd", 32),
	)...)
	return parts.Replace(good)
}

func branches(n int) string {
	hash := `"` + strings.Repeat("cd", 32) + `"`
	return "[" + strings.Repeat(hash+",", n-1) + hash + "]"
}

func TestFaults(t *testing.T) {
	const yes = `{"id":$id,"result":true,"error":null}`
	work := []string{setDifficulty, notify()}
	tests := []struct {
		name   string
		device string
		pool   badPool
		want   string // part of the fault; empty: none
	}{
		{"good ESP-Miner", "ESP-Miner 2.4", badPool{then: work}, ""},
		{"good NerdMiner", "NerdMiner 1.8.3", badPool{then: work}, ""},
		{"good cgminer", "Avalon (cgminer)", badPool{then: work}, ""},
		{"good BFGMiner", "BFGMiner 5.5", badPool{then: work}, ""},
		{"good S19", "Antminer S19 (bmminer)", badPool{then: work}, ""},
		{"good prober", "Braiins prober", badPool{then: work}, ""},
		{"good probe", "ESP-Miner probe", badPool{}, ""},

		{"no error member", "ESP-Miner 2.15", badPool{answers: map[string]string{"mining.authorize": `{"id":$id,"result":true}`}}, `no member "error"`},
		{"another member", "ESP-Miner 2.15", badPool{answers: map[string]string{"mining.authorize": `{"id":$id,"result":true,"error":null,"jsonrpc":"2.0"}`}}, "4 members"},
		{"false without error", "ESP-Miner 2.15", badPool{answers: map[string]string{"mining.authorize": `{"id":$id,"result":false,"error":null}`}}, "without an error"},
		{"refused", "WhatsMiner", badPool{answers: map[string]string{"mining.authorize": `{"id":$id,"result":null,"error":[24,"Unauthorized worker",null]}`}}, "mining.authorize refused: Unauthorized worker"},
		{"error as string", "WhatsMiner", badPool{answers: map[string]string{"mining.authorize": `{"id":$id,"result":null,"error":"no"}`}}, "is not [code, text, data]"},
		{"long error text", "WhatsMiner", badPool{answers: map[string]string{"mining.authorize": `{"id":$id,"result":null,"error":[24,"Unauthorized worker, unfortunately",null]}`}}, "of 34 characters"},
		{"suggestion refused", "NerdQAxe++", badPool{answers: map[string]string{"mining.suggest_difficulty": `{"id":$id,"result":null,"error":[-3,"Method not found",null]}`}}, "mining.suggest_difficulty refused"},
		{"extranonce refused", "Antminer S9 (bmminer)", badPool{answers: map[string]string{"mining.extranonce.subscribe": `{"id":$id,"result":null,"error":[20,"Not supported.",null]}`}}, "mining.extranonce.subscribe refused"},
		{"id of another type", "BFGMiner 5.5", badPool{answers: map[string]string{"mining.authorize": `{"id":4,"result":true,"error":null}`}}, `answer 4 where "auth"`},
		{"job for an answer", "cpuminer 2.5.1", badPool{answers: map[string]string{"mining.subscribe": notify()}}, "takes mining.notify for the answer"},
		{"difficulty for an answer", "ESP-Miner 2.15", badPool{answers: map[string]string{"mining.configure": goodConfiguration + "\n" + setDifficulty}}, "before the answer to mining.subscribe"},
		{"job in the handshake", "NerdQAxe++", badPool{answers: map[string]string{"mining.configure": goodConfiguration + "\n" + setDifficulty + "\n" + notify()}}, "in the middle of the handshake"},
		{"no answer", "Antminer S9 (bmminer)", badPool{answers: map[string]string{"mining.extranonce.subscribe": ""}}, "nothing to go on with in time"},
		{"answer to nothing", "cpuminer 2.5.1", badPool{then: []string{strings.ReplaceAll(yes, "$id", "4")}}, "without a question"},
		{"umlaut", "cpuminer 2.5.1", badPool{then: []string{`{"id":null,"method":"ü","params":[]}`}}, "byte 0xc3"},
		{"carriage return", "cpuminer 2.5.1", badPool{then: []string{setDifficulty + "\r"}}, "byte 0x0d"},
		{"not JSON", "NerdQAxe++", badPool{then: []string{`{"id":null,`}}, "not a JSON object"},
		{"method that it does not know", "Avalon (cgminer)", badPool{then: []string{`{"id":null,"method":"mining.set_goal","params":[]}`}}, "does not know mining.set_goal"},
		{"notification with id", "Avalon (cgminer)", badPool{then: []string{`{"id":5,"method":"mining.ping","params":[]}`}}, "with id 5"},
		{"long line", "NerdQAxe++", badPool{then: []string{strings.Repeat(" ", 16384) + setDifficulty}}, "a line of"},

		{"no mining.notify", "ESP-Miner probe", badPool{answers: map[string]string{"mining.subscribe": yes}}, "in the first bytes"},
		{"short extranonce2", "NiceHash", badPool{answers: map[string]string{"mining.subscribe": `{"id":$id,"result":[[["mining.notify","a"]],"5eed0001",3],"error":null}`}}, "extranonce2 of 3 bytes"},
		{"extension without a value", "Antminer S19 (bmminer)", badPool{answers: map[string]string{"mining.configure": `{"id":$id,"result":{"version-rolling":false},"error":null}`}}, `no "minimum-difficulty"`},
		{"small mask", "NerdQAxe++", badPool{answers: map[string]string{"mining.configure": strings.ReplaceAll(goodConfiguration, "1fffe000", "00ffe000")}}, "may roll 00ffe000 only"},

		{"difficulty alone", "Avalon (cgminer)", badPool{then: []string{setDifficulty, setDifficulty, notify()}}, "without a job directly behind it"},
		{"exponent", "ESP-Miner 2.4", badPool{then: []string{strings.ReplaceAll(setDifficulty, "1024", "1e3")}}, "[1e3]"},
		{"point zero", "ESP-Miner 2.4", badPool{then: []string{strings.ReplaceAll(setDifficulty, "1024", "512.0")}}, "[512.0]"},
		{"zero", "cpuminer 2.5.1", badPool{then: []string{strings.ReplaceAll(setDifficulty, "1024", "0")}}, "[0]"},
		{"difficulty as text", "cpuminer 2.5.1", badPool{then: []string{strings.ReplaceAll(setDifficulty, "1024", `"1024"`)}}, `["1024"]`},
		{"half", "ESP-Miner 2.4", badPool{then: []string{strings.ReplaceAll(setDifficulty, "1024", "16383.75")}}, "reads difficulty 16383.75 as 16383"},
		{"job without difficulty", "cpuminer 2.5.1", badPool{then: []string{notify()}}, "without a difficulty"},

		{"known number", "ESP-Miner 2.15", badPool{then: append(work, notify("COINBASE2", "fffffffe0000000000"))}, "drops job J1"},
		{"known content", "NerdMiner 1.8.3", badPool{then: append(work, notify("J1", "J2"))}, "the same job under another number"},
		{"first job not clean", "cpuminer 2.5.1", badPool{then: []string{setDifficulty, notify("true", "false")}}, "without clean_jobs"},
		{"next tip not clean", "cpuminer 2.5.1", badPool{then: append(work, notify("J1", "J2", "true", "false", "PREV", strings.Repeat("0123abce", 8)))}, "without clean_jobs"},
		{"clean as text", "cpuminer 2.5.1", badPool{then: []string{setDifficulty, notify("true", `"true"`)}}, "param 8"},
		{"null branches", "ESP-Miner 2.4", badPool{then: []string{setDifficulty, notify(`["BRANCH"]`, `null`)}}, "param 4 is null"},
		{"eight params", "ESP-Miner 2.4", badPool{then: []string{setDifficulty, notify(`,"20000000"`, ``)}}, "notify with 8 params"},
		{"short previous block", "cpuminer 2.5.1", badPool{then: []string{setDifficulty, notify("PREV", "01234567")}}, "hash of 8 digits"},
		{"version without zeros", "cpuminer 2.5.1", badPool{then: []string{setDifficulty, notify("20000000", "4")}}, `number "4"`},
		{"large coinbase", "NerdMiner 1.8.3", badPool{then: []string{setDifficulty, notify("COINBASE2", strings.Repeat("00", 200))}}, "a coinbase of"},
		{"large job", "NerdMiner 1.8.3", badPool{then: []string{setDifficulty, notify(`["BRANCH"]`, branches(48))}}, "a job of"},
		{"many branches", "Avalon (cgminer)", badPool{then: []string{setDifficulty, notify(`["BRANCH"]`, branches(31))}}, "31 branches"},
		{"extranonce outside", "Avalon (cgminer)", badPool{then: []string{setDifficulty, strings.Replace(notify(), "160340d10c", "050340d10c", 1)}}, "behind the end of the input script"},
		{"silence", "cpuminer 2.5.1", badPool{then: work}, "silent for 2m0s"},
		{"no job", "Braiins prober", badPool{}, "nothing to go on with in time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &Device{Dial: test.pool.dial, User: "a.b"}
				for _, p := range Profiles() {
					if p.Name == test.device {
						d.Profile = p
					}
				}
				ctx, stop := context.WithTimeout(t.Context(), 80*time.Second)
				if test.name == "silence" {
					ctx, stop = context.WithTimeout(t.Context(), 5*time.Minute)
				}
				defer stop()
				err := d.Run(ctx)
				fault, ok := errors.AsType[*FaultError](err)
				switch {
				case test.want == "" && err == nil:
				case test.want == "" || !ok || fault.Device != test.device || !strings.Contains(err.Error(), test.want):
					t.Errorf("Run = %v, want a fault about %q", err, test.want)
				}
			})
		})
	}
}

// A pool that refuses connections loses the devices that have another one.
func TestMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := func(context.Context) (net.Conn, error) { return nil, errors.New("refused") }
		start := time.Now()
		d := &Device{Profile: Profiles()[0], Dial: refuse}
		if err := d.Run(t.Context()); !errors.Is(err, errMovedOn) || time.Since(start) != 10*time.Second {
			t.Errorf("Run = %v after %v", err, time.Since(start))
		}
	})
}

// Every line of every profile is JSON, and no two profiles share a name.
func TestProfiles(t *testing.T) {
	names := map[string]bool{}
	for _, p := range Profiles() {
		if names[p.Name] {
			t.Errorf("two profiles with the name %q", p.Name)
		}
		names[p.Name] = true
		lines := []string{p.EachJob, p.Chatter, p.Submit}
		for _, s := range append(p.Opening, p.Authorized...) {
			lines = append(lines, s.Line, s.Later)
		}
		for _, text := range lines {
			if text = strings.ReplaceAll(text, "$id", "1"); text != "" && !json.Valid([]byte(text)) {
				t.Errorf("%s: %s", p.Name, text)
			}
		}
		if p.Visit == Stay && (p.Submit == "" || p.Retry == 0 || p.Silence == 0) {
			t.Errorf("%s is incomplete", p.Name)
		}
	}
}
