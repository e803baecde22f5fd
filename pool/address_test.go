package pool

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Addresses of BIP 173, BIP 350 and of a wallet on a practice chain.
const (
	mainP2WPKH = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	testP2WPKH = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	testP2WSH  = "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7"
	mainP2TR   = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
	testP2TR   = "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c"
	mainP2PKH  = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
	testP2PKH  = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
	mainP2SH   = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
	testP2SH   = "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc"
	anchor     = "bc1pfeessrawgf"
)

func TestParseAddress(t *testing.T) {
	tests := []struct {
		name, text, network string
		want, refusal       string
	}{
		{name: "P2WPKH", text: testP2WPKH, network: "practice", want: testP2WPKH},
		{name: "upper case is one account with lower case", text: strings.ToUpper(testP2WPKH), network: "practice", want: testP2WPKH},
		{name: "blanks around", text: "  " + testP2WPKH + "\n", network: "signet", want: testP2WPKH},
		{name: "P2WSH", text: testP2WSH, network: "testnet4", want: testP2WSH},
		{name: "P2TR", text: testP2TR, network: "practice", want: testP2TR},
		{name: "P2TR on main", text: mainP2TR, network: "main", want: mainP2TR},
		{name: "P2PKH", text: testP2PKH, network: "practice", want: testP2PKH},
		{name: "P2SH on main", text: mainP2SH, network: "main", want: mainP2SH},
		{name: "P2SH", text: testP2SH, network: "practice", want: testP2SH},

		{name: "mainnet on practice", text: mainP2WPKH, network: "practice", refusal: "address is for mainnet"},
		{name: "base58 mainnet on practice", text: mainP2PKH, network: "practice", refusal: "address is for mainnet"},
		{name: "testnet on main", text: testP2WPKH, network: "main", refusal: "address is for testnet"},
		{name: "base58 testnet on main", text: testP2SH, network: "main", refusal: "address is for testnet"},
		{name: "regtest on practice", text: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", network: "practice", refusal: "address is for regtest"},
		{name: "mixed case", text: "tb1QW508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", network: "practice", refusal: "address is not valid"},
		{name: "checksum", text: testP2WPKH[:len(testP2WPKH)-1] + "q", network: "practice", refusal: "address is not valid"},
		{name: "pay to anchor", text: anchor, network: "main", refusal: "address is not supported"},
		{name: "public key", text: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", network: "main", refusal: "address is not supported"},
		{name: "empty", text: " ", network: "main", refusal: "address is empty"},
		{name: "word", text: "admin", network: "main", refusal: "address is not valid"},
		{name: "network", text: testP2WPKH, network: "liquid", refusal: `network "liquid" is not known`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, script, err := ParseAddress(test.text, test.network)
			refusal := ""
			if err != nil {
				refusal = err.Error()
			}
			if got != test.want || refusal != test.refusal {
				t.Errorf("ParseAddress(%q, %q) = %q, %q, want %q, %q", test.text, test.network, got, refusal, test.want, test.refusal)
			}
			if (err == nil) != (len(script) > 0) {
				t.Errorf("script %x with error %v", script, err)
			}
		})
	}
}

func TestParseUsername(t *testing.T) {
	tests := []struct {
		text       string
		worker     string
		difficulty float64
	}{
		{testP2WPKH, "", 0},
		{testP2WPKH + ".rig1", "rig1", 0},
		{testP2WPKH + "_rig1", "rig1", 0},
		{testP2WPKH + "/rig.2", "rig.2", 0},
		{testP2WPKH + ".", "", 0},
		{testP2WPKH + "+1024", "", 1024},
		{testP2WPKH + ".rig+2048", "rig", 2048},
		{testP2WPKH + ".rig+", "rig+", 0},
		{testP2WPKH + ".rig+0", "rig+0", 0},
		{"bitcoin:" + testP2WPKH + "?label=x", "", 0},
		{"BITCOIN:" + strings.ToUpper(testP2WPKH), "", 0},
		{"%20" + testP2WPKH + "%2Erig", "rig", 0},
		{testP2WPKH + ".küche rig\x00", "kcherig", 0},
		{testP2WPKH + "." + strings.Repeat("w", 100), strings.Repeat("w", 64), 0},
		{testP2WPKH + ".<script>", "<script>", 0}, // pages escape it
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			got, err := ParseUsername(test.text, "practice")
			if err != nil {
				t.Fatal(err)
			}
			want := Username{Address: testP2WPKH, Script: got.Script, Worker: test.worker, Difficulty: test.difficulty}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for _, text := range []string{"", "rig1", ".rig1", mainP2WPKH + ".rig", strings.Repeat("a", 300)} {
		if got, err := ParseUsername(text, "practice"); err == nil {
			t.Errorf("ParseUsername(%q) = %+v, want an error", text, got)
		}
	}
}

func FuzzParseUsername(f *testing.F) {
	for _, s := range []string{testP2WPKH + ".rig+16", "bitcoin:" + mainP2TR, anchor, testP2PKH + "_x", "%", "\x00.+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseUsername(text, "practice")
		if err != nil {
			return
		}
		if len(u.Worker) > maxWorkerName || u.Difficulty < 0 {
			t.Errorf("ParseUsername(%q) = %+v", text, u)
		}
		again, _, err := ParseAddress(u.Address, "practice")
		if err != nil || again != u.Address {
			t.Errorf("canonical address %q reads as %q, %v", u.Address, again, err)
		}
	})
}
