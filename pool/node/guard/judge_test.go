package guard

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
)

// core returns what Bitcoin Core reports of a chain that has nothing but its first block.
func core(t *testing.T, network string, params *chaincfg.Params) Facts {
	t.Helper()
	var header bytes.Buffer
	if err := params.GenesisBlock.Header.Serialize(&header); err != nil {
		t.Fatal(err)
	}
	n := networks()[network]

	return Facts{
		Chain: n.chain, Challenge: n.challenge, Subversion: "/Satoshi:31.1.0/", Version: 310100,
		Deployments: map[string]string{"segwit": "buried", "taproot": "bip9"},
		Blocks:      map[int32]chainhash.Hash{0: *params.GenesisHash},
		Tip:         *params.GenesisHash, Header: header.Bytes(),
		Rules: []string{"csv", "!segwit", "taproot"}, NextVersion: 0x20000000,
	}
}

func params() map[string]*chaincfg.Params {
	return map[string]*chaincfg.Params{
		"main": &chaincfg.MainNetParams, "testnet4": &chaincfg.TestNet4Params, "signet": &chaincfg.SigNetParams,
		"practice": &chaincfg.SigNetParams, "regtest": &chaincfg.RegressionNetParams,
	}
}

func TestGuardLetsBitcoinPass(t *testing.T) {
	for network, p := range params() {
		f := core(t, network, p)
		for _, asked := range []string{network, ""} {
			if err := Judge(asked, f); err != nil {
				t.Errorf("Judge(%q, Core on %s) = %v", asked, network, err)
			}
		}
		if got := Network(f.Chain, f.Challenge); got != network {
			t.Errorf("Network(%s, %s) = %q, want %q", f.Chain, f.Challenge, got, network)
		}

		f.Header, f.Rules, f.NextVersion = nil, nil, 0
		if err := Judge(network, f); err != nil {
			t.Errorf("Judge(%s) without tip and template = %v", network, err)
		}
	}
}

// A block of the practice chain asks for the signet rule.
func TestGuardKnowsTheSignetRule(t *testing.T) {
	f := core(t, "practice", &chaincfg.SigNetParams)
	f.Rules = append(f.Rules, "!signet")
	if err := Judge("practice", f); err != nil {
		t.Error(err)
	}
}

func TestGuardRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Facts)
		want   string
	}{
		{"Knots before its fork", func(f *Facts) {
			f.Subversion = "/Satoshi:29.5.0/Knots:20260508/"
		}, "The node is Bitcoin Knots (/Satoshi:29.5.0/Knots:20260508/), which leaves Bitcoin on main"},
		{"blake2b is known", func(f *Facts) { f.Deployments["blake2b"] = "" }, "replace the proof of work of main by BLAKE2b"},
		{"flag day", func(f *Facts) { f.Deployments["reduced_data"] = "flagday" }, "rules of main by itself on a fixed day (reduced_data)"},
		{"another chain", func(f *Facts) { f.Chain = "testnet4" }, "The node is on the network testnet4, and this pool is for main."},
		{"testnet3", func(f *Facts) { f.Chain = "test" }, "The node is on the network test, and this pool is for main."},
		{"old", func(f *Facts) { f.Version = 280400; f.Subversion = "/Satoshi:28.4.0/" }, "version /Satoshi:28.4.0/ is too old"},
		{"unknown", func(f *Facts) { f.Version = 320000; f.Subversion = "/Satoshi:32.0.0/" }, "newer than this program knows"},
		{"other first block", func(f *Facts) { f.Blocks[0] = *chaincfg.TestNet4Params.GenesisHash }, "The node's block 0 is 00000000da84f2ba"},
		{"other checkpoint", func(f *Facts) { f.Blocks[935_000] = chainhash.Hash{1} }, "of main is 0000000000000000000147034958af16"},
		{"header of the fork", func(f *Facts) { f.Header = make([]byte, 164) }, "has 164 bytes; those of Bitcoin have 80."},
		{"short header", func(f *Facts) { f.Header = f.Header[:79] }, "has 79 bytes"},
		{"no header", func(f *Facts) { f.Header = []byte{} }, "has 0 bytes"},
		{"header with bit 31", func(f *Facts) { f.Header[3] = 0x80 }, "(version bit 31)"},
		{"header of another hash function", func(f *Facts) { f.Tip = chainhash.Hash{1} }, "has the SHA-256 hash 000000000019d668"},
		{"header without work", func(f *Facts) {
			f.Header[76]++ // nonce
			f.Tip = chainhash.DoubleHashH(f.Header)
		}, "has no proof of work that is valid on main."},
		{"header that is too easy", func(f *Facts) {
			other := core(t, "regtest", &chaincfg.RegressionNetParams)
			f.Tip, f.Header = other.Tip, other.Header
		}, "has no proof of work that is valid on main."},
		{"header with a target that cannot be", func(f *Facts) {
			copy(f.Header[72:], "\x00\x00\x00\x00")
			f.Tip = chainhash.DoubleHashH(f.Header)
		}, "has no proof of work that is valid on main."},
		{"rule that must be understood", func(f *Facts) { f.Rules = []string{"csv", "!segwit", "!blake2b"} }, `follow the rule "blake2b"`},
		{"template with bit 31", func(f *Facts) { f.NextVersion = 0xa0000000 }, "asks for blocks of another proof of work"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := core(t, "main", &chaincfg.MainNetParams)
			test.change(&f)

			var refused *RefusedError
			err := Judge("main", f)
			if !errors.As(err, &refused) || !strings.Contains(refused.Reason, test.want) {
				t.Fatalf("Judge() = %v, want %q", err, test.want)
			}
			if !strings.HasSuffix(refused.Reason, ".") || !strings.HasSuffix(refused.Next, ".") {
				t.Errorf("%q and %q are not sentences", refused.Reason, refused.Next)
			}
		})
	}
}

// Knots stands in for Bitcoin Core where its fork does not reach; what would betray the fork is refused there, too.
func TestGuardKnotsOnTestChains(t *testing.T) {
	for network, allowed := range map[string]bool{
		"main": false, "testnet4": false, "signet": true, "practice": true, "regtest": true,
	} {
		f := core(t, network, params()[network])
		f.Subversion, f.Version = "/Satoshi:29.5.0/Knots:20260508/", 290500
		if err := Judge(network, f); (err == nil) != allowed {
			t.Errorf("Judge(%s, Knots) = %v, want allowed %t", network, err, allowed)
		}
		f.Deployments["blake2b"] = ""
		if err := Judge(network, f); err == nil {
			t.Errorf("Judge(%s, Knots with its fork) = nil", network)
		}
	}
}

func TestGuardTellsSignetsApart(t *testing.T) {
	f := core(t, "practice", &chaincfg.SigNetParams)
	for network, want := range map[string]string{
		"signet":  "The node is on the network practice, and this pool is for signet.",
		"regtest": "The node is on the network practice, and this pool is for regtest.",
	} {
		if err := Judge(network, f); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Judge(%s) = %v, want %q", network, err, want)
		}
	}
	f.Challenge = "52"
	for _, network := range []string{"", "practice", "signet"} {
		if err := Judge(network, f); err == nil {
			t.Errorf("Judge(%q, a stranger's signet) = nil", network)
		}
	}
}

func TestGuardCheckpointsAreHashes(t *testing.T) {
	for name := range params() {
		last := int32(-1)
		for _, c := range Checkpoints(name) {
			if c.Hash == (chainhash.Hash{}) || c.Height <= last {
				t.Errorf("checkpoint %d of %s is %s", c.Height, name, c.Hash)
			}
			last = c.Height
		}
		if last < 0 {
			t.Errorf("%s has no checkpoint", name)
		}
	}
	if got := hex.EncodeToString(chaincfg.DefaultSignetChallenge); networks()["signet"].challenge != got {
		t.Errorf("challenge of signet %s, want %s", networks()["signet"].challenge, got)
	}
	if Checkpoints("test") != nil {
		t.Error("test has checkpoints")
	}
}
