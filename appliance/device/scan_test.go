package device

import (
	"net/netip"
	"testing"
)

// Of the networks of this machine only private ones are searched, and of a large one the
// part around it.
func TestSubnets(t *testing.T) {
	for text, want := range map[string][2]string{ // what is searched, and the whole if that is more
		"192.168.1.50/24": {"192.168.1.0/24", ""},
		"172.16.5.9/22":   {"172.16.4.0/22", ""},
		"10.1.2.3/8":      {"10.1.0.0/22", "10.0.0.0/8"},
		"10.1.2.3/30":     {"10.1.2.0/30", ""},
		"10.1.2.3/32":     {},
		"169.254.7.7/16":  {},
		"100.64.0.9/10":   {},
		"203.0.113.9/24":  {},
		"fd00::5/64":      {},
	} {
		var got [2]string
		for _, s := range New(Config{}).subnets("eth0", netip.MustParsePrefix(text)) {
			got[0] = s.Prefix.String()
			if s.Whole.IsValid() {
				got[1] = s.Whole.String()
			}
			if s.Own != netip.MustParsePrefix(text).Addr() || s.Name != "eth0" {
				t.Errorf("%s: %+v", text, s)
			}
		}
		if got != want {
			t.Errorf("%s: searched %q, want %q", text, got, want)
		}
	}
	for _, s := range New(Config{}).Subnets() { // of the machine that this runs on
		if !s.Own.IsPrivate() || s.Prefix.Bits() < widest {
			t.Errorf("this machine's %+v is searched", s)
		}
	}
}
