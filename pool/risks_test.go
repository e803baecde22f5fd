package pool

import (
	"slices"
	"testing"
)

func TestRisks(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Settings)
		want   []string
	}{
		"as it comes":     {func(*Settings) {}, nil},
		"usual fee":       {func(s *Settings) { s.FeeBps = 200 }, nil},
		"high fee":        {func(s *Settings) { s.FeeBps = 301 }, []string{"fee_bps"}},
		"donation":        {func(s *Settings) { s.DonationBps = 501 }, []string{"donation_bps"}},
		"short window":    {func(s *Settings) { s.WindowMilli = 999 }, []string{"window_milli"}},
		"no window":       {func(s *Settings) { s.WindowMilli, s.Settlement = 999, "solo" }, nil},
		"nobody looks":    {func(s *Settings) { s.AutoApproveBelowSat = 1 }, []string{"auto_approve_below_sat"}},
		"open door":       {func(s *Settings) { s.AdminFrom = FromAnywhere }, []string{"admin_from"}},
		"no small device": {func(s *Settings) { s.MinDifficulty = 1.5 }, []string{"min_difficulty"}},
	} {
		s := DefaultSettings("main")
		tc.change(&s)
		var got []string
		for _, r := range s.Risks() {
			got = append(got, r.Setting)
			if r.Message == "" || r.Advice == "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
