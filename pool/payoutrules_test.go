package pool

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestFirstBlockPasses: the caps of a new pool stand in nobody's way when the
// first block is paid, all of it to one miner.
func TestFirstBlockPasses(t *testing.T) {
	const block = 312_500_000 + 40_000_000 // subsidy and rich fees
	s := DefaultSettings("main")
	if s.MaxPayoutSat < block || s.Max24hSat < 2*block || s.SecondPersonAboveSat != 0 || s.AutoApproveBelowSat != 0 {
		t.Errorf("a block of %d sats does not pass %+v", block, s.PayoutRules)
	}
}

func TestRaised(t *testing.T) {
	before := defaultPayoutRules("main")
	tests := []struct {
		name   string
		change func(*PayoutRules)
		want   string // a part of the only name, empty for none
	}{
		{"nothing", func(*PayoutRules) {}, ""},
		{"lower caps", func(r *PayoutRules) { r.MaxPayoutSat, r.Max24hSat, r.MaxFeeSat = 1e6, 1e6, 1000 }, ""},
		{"one payout", func(r *PayoutRules) { r.MaxPayoutSat++ }, "one payout"},
		{"a day", func(r *PayoutRules) { r.Max24hSat++ }, "within 24 hours"},
		{"fee", func(r *PayoutRules) { r.MaxFeeBps++ }, "network fee"},
		{"recipients", func(r *PayoutRules) { r.MaxPayoutItems++ }, "recipients"},
		{"second person from now on", func(r *PayoutRules) { r.SecondPersonAboveSat = 1 }, ""},
		{"who sends", func(r *PayoutRules) { r.SecondFactorToSend = false }, "without a second factor"},
		{"by rule", func(r *PayoutRules) { r.AutoApproveBelowSat = 1 }, "below which nobody approves"},
		{"by rule in a day", func(r *PayoutRules) { r.AutoApproveDailySat = 1 }, "nobody approves within 24 hours"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := before
			test.change(&r)
			got := strings.Join(r.Raised(before), "; ")
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) || strings.Contains(got, ";") {
				t.Errorf("Raised = %q, want %q", got, test.want)
			}
		})
	}

	two := before
	two.SecondPersonAboveSat = 5
	if got := before.Raised(two); len(got) != 1 || !strings.Contains(got[0], "second person") {
		t.Errorf("to give up the second person: Raised = %q", got)
	}
}

// TestOldSettingsGetTheRules: what a box of an earlier version has stored knows
// no rules; those of a new box are in force then.
func TestOldSettingsGetTheRules(t *testing.T) {
	s := DefaultSettings("main")
	if err := json.Unmarshal([]byte(`{"name":"Old","min_payout_sat":200000}`), &s); err != nil {
		t.Fatal(err)
	}
	if s.PayoutRules != defaultPayoutRules("main") || s.Validate() != nil {
		t.Errorf("settings %+v, %v", s, s.Validate())
	}
	text, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(text), `"max_payout_sat":500000000`) {
		t.Errorf("stored as %s, %v", text, err)
	}
}

// Coins that are worth something leave with a second factor only.
func TestSecondFactorToSend(t *testing.T) {
	for network, want := range map[string]bool{"main": true, "testnet4": false, "signet": false, "practice": false} {
		if got := DefaultSettings(network).SecondFactorToSend; got != want {
			t.Errorf("%s: %v", network, got)
		}
	}
}
