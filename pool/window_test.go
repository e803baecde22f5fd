package pool

import (
	"strings"
	"testing"
)

func TestWindowRules(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Settings)
		want   string // in the refusal, empty for none
	}{
		"as they come":        {func(*Settings) {}, ""},
		"from anywhere":       {func(s *Settings) { s.AdminFrom = FromAnywhere }, ""},
		"from nowhere":        {func(s *Settings) { s.AdminFrom = "" }, "operators cannot come from"},
		"satoshis":            {func(s *Settings) { s.Amounts = AmountsSats }, ""},
		"dollars":             {func(s *Settings) { s.Amounts = "usd" }, "amounts cannot be written"},
		"Berlin":              {func(s *Settings) { s.TimeZone = "Europe/Berlin" }, ""},
		"Mars":                {func(s *Settings) { s.TimeZone = "Mars/Base" }, "time zone"},
		"no zone":             {func(s *Settings) { s.TimeZone = "" }, "time zone"},
		"wherever we are":     {func(s *Settings) { s.TimeZone = "Local" }, "time zone"},
		"explorer":            {func(s *Settings) { s.ExplorerURL = "https://mempool.space/testnet4" }, ""},
		"explorer at home":    {func(s *Settings) { s.ExplorerURL = "http://192.168.1.60:3006" }, ""},
		"script":              {func(s *Settings) { s.ExplorerURL = "javascript:alert(1)" }, "explorer"},
		"no scheme":           {func(s *Settings) { s.ExplorerURL = "mempool.space" }, "explorer"},
		"no host":             {func(s *Settings) { s.ExplorerURL = "https:///tx" }, "explorer"},
		"somebody's password": {func(s *Settings) { s.ExplorerURL = "https://a:b@mempool.space" }, "explorer"},
		"query":               {func(s *Settings) { s.ExplorerURL = "https://mempool.space/?q=" }, "explorer"},
		"fragment":            {func(s *Settings) { s.ExplorerURL = "https://mempool.space/#" }, "explorer"},
	} {
		s := DefaultSettings("main")
		tc.change(&s)
		err := s.Validate()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestExplorerLink(t *testing.T) {
	for base, want := range map[string]string{
		"":                          "",
		"https://mempool.space":     "https://mempool.space/tx/ab%2Fcd",
		"http://192.168.1.60:3006/": "http://192.168.1.60:3006/tx/ab%2Fcd",
	} {
		if got := (WindowRules{ExplorerURL: base}).ExplorerLink("tx", "ab/cd"); got != want {
			t.Errorf("%q: %q, want %q", base, got, want)
		}
	}
}
