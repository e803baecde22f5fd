package pool

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// maxUsername is the longest username that is looked at, in bytes. Longer ones
// are no address that any firmware could hold (stratum.md section 4).
const maxUsername = 256

// maxWorkerName is the longest worker name that is kept, in bytes.
const maxWorkerName = 64

// nameSeparators may stand between an address and a worker name. None of them
// occurs in a base58 or bech32 address.
const nameSeparators = "._+/:~,"

// ChainParams returns the address parameters of a network of the glossary, and
// false for an unknown name. The practice chain is a private signet.
func ChainParams(network string) (*chaincfg.Params, bool) {
	switch network {
	case "main":
		return &chaincfg.MainNetParams, true
	case "testnet4":
		return &chaincfg.TestNet4Params, true
	case "signet", "practice":
		return &chaincfg.SigNetParams, true
	case "regtest":
		return &chaincfg.RegressionNetParams, true
	}
	return nil, false
}

// ParseAddress decodes a payout address of network and returns its canonical
// spelling (bech32 in lower case) and its scriptPubKey. The error is a sentence
// for the person who typed the address. Witness versions above 1, and programs
// that no wallet can spend (pay-to-anchor), are refused.
func ParseAddress(text, network string) (canonical string, script []byte, err error) {
	params, ok := ChainParams(network)
	if !ok {
		return "", nil, fmt.Errorf("network %q is not known", network)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil, errors.New("address is empty")
	}
	if other := otherNetwork(text, params); other != "" {
		return "", nil, fmt.Errorf("address is for %s", other)
	}
	decoded, err := address.DecodeAddress(text, params)
	if err != nil || !decoded.IsForNet(params) {
		return "", nil, errors.New("address is not valid")
	}
	switch decoded.(type) {
	case *address.AddressPubKeyHash, *address.AddressScriptHash,
		*address.AddressWitnessPubKeyHash, *address.AddressWitnessScriptHash, *address.AddressTaproot:
	default:
		return "", nil, errors.New("address is not supported")
	}
	script, err = txscript.PayToAddrScript(decoded)
	if err != nil {
		return "", nil, errors.New("address is not valid")
	}
	return decoded.EncodeAddress(), script, nil
}

// otherNetwork names the network that text belongs to when its prefix, or its
// base58 version byte, is that of a network with other addresses than params.
func otherNetwork(text string, params *chaincfg.Params) string {
	families := []struct {
		name   string
		params *chaincfg.Params
	}{
		{"mainnet", &chaincfg.MainNetParams},
		{"testnet", &chaincfg.TestNet4Params},
		{"regtest", &chaincfg.RegressionNetParams},
	}
	lower := strings.ToLower(text)
	for _, f := range families {
		if f.params.Bech32HRPSegwit != params.Bech32HRPSegwit && strings.HasPrefix(lower, f.params.Bech32HRPSegwit+"1") {
			return f.name
		}
	}
	for _, f := range families[:2] {
		if f.params.PubKeyHashAddrID == params.PubKeyHashAddrID {
			continue
		}
		decoded, err := address.DecodeAddress(text, f.params)
		if err != nil || !decoded.IsForNet(f.params) {
			continue
		}
		switch decoded.(type) {
		case *address.AddressPubKeyHash, *address.AddressScriptHash:
			return f.name
		}
	}
	return ""
}

// Username is what a miner's username says.
type Username struct {
	Address    string
	Script     []byte
	Worker     string  // may be empty
	Difficulty float64 // from "address+1024" or "address.name+1024"; 0 when not asked for
}

// ParseUsername reads ADDRESS, ADDRESS.WORKER and their relatives (stratum.md
// section 4): another separator after a valid address, a bitcoin: prefix, a
// ?query, percent escapes, surrounding blanks, and +N for a fixed difficulty.
// The error is a sentence.
func ParseUsername(text, network string) (Username, error) {
	if len(text) > maxUsername {
		return Username{}, errors.New("username is too long")
	}
	text = strings.TrimSpace(text)
	if unescaped, err := url.PathUnescape(text); err == nil {
		text = strings.TrimSpace(unescaped)
	}
	if rest, ok := cutPrefixFold(text, "bitcoin:"); ok {
		text = rest
	}
	text, _, _ = strings.Cut(text, "?")

	name := ""
	addr := text
	if i := strings.IndexAny(text, nameSeparators); i >= 0 {
		addr, name = text[:i], text[i:]
	}
	canonical, script, err := ParseAddress(addr, network)
	if err != nil {
		return Username{}, err
	}
	u := Username{Address: canonical, Script: script}
	if i := strings.LastIndexByte(name, '+'); i >= 0 {
		if d, ok := parseDifficulty(name[i+1:]); ok {
			u.Difficulty = d
			name = name[:i]
		}
	}
	u.Worker = cleanWorker(strings.TrimLeft(name, nameSeparators))
	return u, nil
}

// parseDifficulty reads a positive decimal difficulty of at most 12 digits.
func parseDifficulty(text string) (float64, bool) {
	if text == "" || len(text) > 12 {
		return 0, false
	}
	n := 0.0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + float64(c-'0')
	}
	return n, n > 0
}

// cleanWorker keeps the printable ASCII of a worker name, without blanks.
func cleanWorker(name string) string {
	kept := strings.Map(func(r rune) rune {
		if r < 0x21 || r > 0x7e {
			return -1
		}
		return r
	}, name)
	return kept[:min(len(kept), maxWorkerName)]
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}
