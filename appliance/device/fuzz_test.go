package device

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// checkDevice holds what a stranger made against what every page relies on.
func checkDevice(t *testing.T, d Device) {
	t.Helper()
	for _, text := range []string{d.Model, d.Firmware, d.Name, d.Serial, d.Setting.Pool.Shown().URL, d.Setting.Pool.Shown().User} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || utf8.RuneCountInString(text) > maxShown {
			t.Errorf("text %q", text)
		}
	}
	for _, v := range []*float64{d.Hashrate, d.Celsius, d.Watts} {
		if v != nil && !(*v >= 0 && *v <= 1e18) {
			t.Errorf("figure %v", *v)
		}
	}
	if d.Setting.Slot < 0 || len(d.Setting.List) > maxPools {
		t.Errorf("setting %+v", d.Setting)
	}
	if d.Way == ByClick && (!keepable(d.Setting.Pool.URL) || !keepable(d.Setting.Pool.User)) {
		t.Errorf("a setting that cannot be kept is overwritten: %+v", d.Setting)
	}
	if _, err := json.Marshal(d.Setting); err != nil {
		t.Errorf("setting cannot be kept: %v", err)
	}
}

func FuzzAxeOS(f *testing.F) {
	f.Add([]byte(`{"ASICModel":"BM1370","version":"v2.9.0","hashRate":1204.5,"temp":61.5,"power":17.9,"stratumURL":"a.b","stratumPort":3333,"stratumUser":"x.y","stratumTLS":true,"otp":false}`))
	f.Add([]byte(`{"STRATUMURL":"a","stratumport":1e99,"stratumUser":"\u202e\ud800","version":"1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if d, err := parseAxeOS(body); err == nil {
			checkDevice(t, d)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		`{"STATUS":[{"STATUS":"S","Code":22,"Msg":"m","Description":"cgminer 4"}],"VERSION":[{"API":"3.7","Type":"Antminer S9","PROD":"Avalon"}],"id":1}`,
		`{"STATUS":"S","Code":131,"Msg":{"fw_ver":"1"},"Description":"btminer"}`,
		`{"STATUS":[{"STATUS":"S"}],"STATS":[{"a":1}{"temp_chip1":"58-58","MM ID0":"TMax[97] PS[0 1 2 3 4 5]"}],"POOLS":[{"POOL":1e300,"URL":"u","User":"\u0007","Priority":"nan"},],"SUMMARY":[{"GHS 5s":"1e9","x":-nan}]}` + "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parseReply(raw)
		if err != nil {
			return
		}
		d, err := identify(r)
		if err != nil {
			d.API = CGMiner
		}
		d.Setting = settingOf(r)
		for _, api := range []API{d.API, Avalon, Antminer, WhatsMiner} {
			d.API = api
			d.tell(r, r)
			checkDevice(t, d)
		}
	})
}

// What is JSON stays what it is, and what is not is never made longer than by a comma
// for each bracket.
func FuzzMend(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2e3,-0.5E-7,"x\"}{",true,null]}`, `[{"a":nan}{"b":-inf,}]` + "\x00", "{\"a\":\"\x01\xff\"}", `{"a":"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := mend(bytes.Clone(raw))
		if trimmed := bytes.Trim(raw, "\x00 \t\r\n"); json.Valid(trimmed) && !bytes.Equal(got, trimmed) {
			t.Errorf("%q became %q", raw, got)
		}
		if len(got) > 5*len(raw)+1 { // a letter may become null
			t.Errorf("%d bytes became %d", len(raw), len(got))
		}
	})
}

func TestMend(t *testing.T) {
	for broken, want := range map[string]string{
		`[{"a":1}{"b":2}]`:                  `[{"a":1},{"b":2}]`,
		`{"a":[1,2,],}`:                     `{"a":[1,2]}`,
		`{"a":nan,"b":-inf,"c":1.5e3,}`:     `{"a":null,"b":null,"c":1.5e3}`,
		"{\"a\":\"x\x01}{,]\"}\x00":         `{"a":"x }{,]"}`,
		`{"a":true,"b":false,"c":null}{}`:   `{"a":true,"b":false,"c":null},{}`,
		"\x00 {\"a\":\"\\\"}{\"}\n\x00\x00": `{"a":"\"}{"}`,
	} {
		if got := string(mend([]byte(broken))); got != want {
			t.Errorf("mend(%q) = %q, want %q", broken, got, want)
		}
	}
}
