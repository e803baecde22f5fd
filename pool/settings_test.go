package pool

import (
	"strings"
	"testing"
)

func TestSettingsValidate(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*Settings)
		refusal string // empty: accepted
	}{
		{"defaults", func(*Settings) {}, ""},
		{"fee of one per cent", func(s *Settings) { s.FeeBps = 100 }, ""},
		{"whole reward donated", func(s *Settings) { s.DonationBps = 10_000 }, "donation"},
		{"negative fee", func(s *Settings) { s.FeeBps = -1 }, "fee"},
		{"no window", func(s *Settings) { s.WindowMilli = 0 }, "window"},
		{"unknown underfill", func(s *Settings) { s.Underfill = "keep" }, "under-filled"},
		{"settlement that nobody knows", func(s *Settings) { s.Settlement = "pps" }, `settlement "pps" is not known`},
		{"miners paid by the coinbase", func(s *Settings) { s.Settlement = "direct" }, ""},
		{"finder paid by the coinbase", func(s *Settings) { s.Settlement, s.FeeBps = "solo", 50 }, ""},
		{"outputs that no node relays", func(s *Settings) { s.MinOutputSat = 545 }, "smallest output"},
		{"outputs for the rich", func(s *Settings) { s.MinOutputSat = 100_000_001 }, "smallest output"},
		{"no name", func(s *Settings) { s.Name = "" }, "pool name"},
		{"name longer than the coinbase takes", func(s *Settings) { s.Name = strings.Repeat("x", 33) }, "pool name"},
		{"dust payout", func(s *Settings) { s.MinPayoutSat = 500 }, "minimum payout"},
		{"difficulty that ignores the work", func(s *Settings) { s.MinDifficulty = 0 }, "minimum difficulty"},
		{"ceiling below floor", func(s *Settings) { s.MinDifficulty, s.MaxDifficulty = 10, 5 }, "maximum difficulty"},
		{"start below floor", func(s *Settings) { s.MinDifficulty, s.StartDifficulty = 10, 5 }, "start difficulty"},
		{"payouts without a pause", func(s *Settings) { s.PayoutEvery = 5 }, "payouts"},
		{"payouts by hand", func(s *Settings) { s.PayoutEvery = 0 }, ""},
		{"payouts never", func(s *Settings) { s.PayoutEvery = 1e10 }, "payouts"}, // would overflow a time.Duration
		{"no cap on a payout", func(s *Settings) { s.MaxPayoutSat = 0 }, "payout cannot be limited to 0"},
		{"a day's cap below one payout's", func(s *Settings) { s.Max24hSat = s.MaxPayoutSat - 1 }, "24 hours"},
		{"fee cap that is a typo", func(s *Settings) { s.MaxFeeBps = 5000 }, "network fee"},
		{"no network fee", func(s *Settings) { s.MaxFeeSat = 0 }, "network fee"},
		{"unknown fee policy", func(s *Settings) { s.PayoutFeePolicy = "finder" }, "fee policy"},
		{"fee borne by the miners", func(s *Settings) { s.PayoutFeePolicy = "miners" }, ""},
		{"nobody to pay", func(s *Settings) { s.MaxPayoutItems = 0 }, "recipients"},
		{"second person", func(s *Settings) { s.SecondPersonAboveSat = 1e6 }, ""},
		{"second person above a debt", func(s *Settings) { s.SecondPersonAboveSat = -1 }, "second person"},
		{"small payouts by rule", func(s *Settings) { s.AutoApproveBelowSat, s.AutoApproveDailySat = 1e6, 5e6 }, ""},
		{"by rule without a limit for the day", func(s *Settings) { s.AutoApproveBelowSat = 1e6 }, "by rule"},
		{"by rule what needs two", func(s *Settings) {
			s.SecondPersonAboveSat, s.AutoApproveBelowSat, s.AutoApproveDailySat = 1e5, 1e6, 5e6
		}, "two people"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, network := range []string{"main", "practice"} {
				s := DefaultSettings(network)
				test.change(&s)
				err := s.Validate()
				switch {
				case test.refusal == "" && err != nil:
					t.Errorf("%s: refused: %v", network, err)
				case test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)):
					t.Errorf("%s: error %v, want one about %q", network, err, test.refusal)
				}
			}
		})
	}
}

func TestCoinbaseTag(t *testing.T) {
	tests := map[string]string{
		"DMPool":     "/DMPool/",
		"Café Küche": "/Caf Kche/",
		"矿池":         "/DMPool/",
	}
	for name, want := range tests {
		if got := coinbaseTag(name); got != want {
			t.Errorf("coinbaseTag(%q) = %q, want %q", name, got, want)
		}
	}
}
