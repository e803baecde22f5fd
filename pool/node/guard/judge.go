package guard

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/work"
)

// Facts are what a node reports about itself and its chain. What is not known is left out, and then not judged:
// a node without a template yet may still be trusted with a wallet.
type Facts struct {
	Chain      string // as the node names it (getblockchaininfo)
	Challenge  string // of a signet, hex
	Subversion string // such as "/Satoshi:29.0.0/" (getnetworkinfo)
	Version    int    // such as 290500 for 29.5

	// Deployments are the changes of the rules that the node knows of (getdeploymentinfo), name and type. Knots lists
	// its own beside the others, without a type.
	Deployments map[string]string

	// Blocks are the hashes of the main chain at the heights of [Checkpoints] that it has reached.
	Blocks map[int32]chainhash.Hash

	Tip         chainhash.Hash // as the node names its best block, or the parent of a template
	Header      []byte         // of that block, as it is serialized
	Rules       []string       // of the node's block template (BIP 23)
	NextVersion uint32         // version of the template's block
}

// RefusedError says why nothing is asked of a node, and what to do about it. Both are sentences.
type RefusedError struct{ Reason, Next string }

// Error returns reason and next step.
func (e *RefusedError) Error() string { return e.Reason + " " + e.Next }

// useCore is the next step when the node is of the wrong kind.
const useCore = "Use Bitcoin Core from bitcoincore.org, with a data directory that the other program has never opened."

// Judge returns nil when a node that reports these facts may be mined with on network, else a [*RefusedError]. An empty
// network stands for the one that the node names.
func Judge(network string, f Facts) error {
	if network == "" {
		network = f.network()
	}
	n, ok := networks()[network]
	if !ok {
		return &RefusedError{
			fmt.Sprintf("The node is on the chain %q, on which this pool does not mine.", f.Chain),
			"Start it on main, testnet4, signet or regtest.",
		}
	}

	for _, check := range []func(rules, Facts) *RefusedError{
		checkChain, checkProgram, checkDeployments, checkCheckpoints, checkHeader, checkTemplate,
	} {
		if refused := check(n, f); refused != nil {
			return refused
		}
	}

	return nil
}

// checkChain compares the chain's name, and of a signet the challenge that makes it that one.
func checkChain(n rules, f Facts) *RefusedError {
	if f.Chain == n.chain && f.Challenge == n.challenge {
		return nil
	}
	other := f.network()
	if other == "" {
		other = f.Chain
	}

	return &RefusedError{
		fmt.Sprintf("The node is on the network %s, and this pool is for %s.", other, n.name),
		"Start the node on the pool's network, or switch the pool to the node's.",
	}
}

// The major versions of Bitcoin Core that answer as this program expects.
const (
	oldestMajor = 29
	newestMajor = 31
)

// checkProgram refuses the program that left the public chains, and versions that nobody has tried with this one.
func checkProgram(n rules, f Facts) *RefusedError {
	major := f.Version / 10_000
	switch {
	case n.public && strings.Contains(f.Subversion, "Knots"):
		return &RefusedError{
			fmt.Sprintf("The node is Bitcoin Knots (%s), which leaves Bitcoin on %s for a chain with another proof of work; "+
				"miners can find no valid block there.", f.Subversion, n.name),
			useCore,
		}
	case major < oldestMajor:
		return &RefusedError{
			fmt.Sprintf("The node's version %s is too old.", f.Subversion),
			fmt.Sprintf("Use Bitcoin Core %d or newer.", oldestMajor),
		}
	case n.name == "main" && major > newestMajor:
		return &RefusedError{
			fmt.Sprintf("The node's version %s is newer than this program knows.", f.Subversion),
			fmt.Sprintf("Update DMPool, or use Bitcoin Core %d to %d.", oldestMajor, newestMajor),
		}
	}

	return nil
}

// checkDeployments refuses rules that are to come without the miners' consent: a flag day splits the chain, and we
// would be on the side of the node's author.
func checkDeployments(n rules, f Facts) *RefusedError {
	for _, name := range slices.Sorted(maps.Keys(f.Deployments)) {
		if name == "blake2b" {
			return &RefusedError{
				fmt.Sprintf("The node is going to replace the proof of work of %s by BLAKE2b, or has done so; "+
					"no miner of SHA-256 can find a block on that chain.", n.name),
				useCore,
			}
		}
		if f.Deployments[name] == "flagday" {
			return &RefusedError{
				fmt.Sprintf("The node changes the rules of %s by itself on a fixed day (%s) and so leaves the chain that others follow.", n.name, name),
				useCore,
			}
		}
	}

	return nil
}

// checkCheckpoints compares the blocks that we know.
func checkCheckpoints(n rules, f Facts) *RefusedError {
	for _, c := range n.checkpoints {
		got, known := f.Blocks[c.Height]
		if known && got != c.Hash {
			return &RefusedError{
				fmt.Sprintf("The node's block %d is %s, and that of %s is %s: it is on another chain.", c.Height, got, n.name, c.Hash),
				"Use another node, or give this one an empty data directory and let it download the chain again.",
			}
		}
	}

	return nil
}

// headerSize is that of a Bitcoin block header: version 4, parent 32, merkle root 32, time 4, bits 4, nonce 4.
const headerSize = 80

// checkHeader does the tip's proof of work again.
func checkHeader(n rules, f Facts) *RefusedError {
	if f.Header == nil {
		return nil
	}
	refuse := func(format string, args ...any) *RefusedError {
		return &RefusedError{fmt.Sprintf("The header of the node's block %s ", f.Tip) + fmt.Sprintf(format, args...), useCore}
	}
	if len(f.Header) != headerSize {
		return refuse("has %d bytes; those of Bitcoin have %d.", len(f.Header), headerSize)
	}
	if foreign(binary.LittleEndian.Uint32(f.Header)) {
		return refuse("is marked as one of another proof of work (version bit 31).")
	}

	hash := chainhash.DoubleHashH(f.Header)
	if hash != f.Tip {
		return refuse("has the SHA-256 hash %s.", hash)
	}
	target, err := work.TargetFromBits(binary.LittleEndian.Uint32(f.Header[72:]))
	if err != nil || !target.Meets(hash) || bytes.Compare(target[:], n.easiest[:]) > 0 {
		return refuse("has no proof of work that is valid on %s.", n.name)
	}

	return nil
}

// checkTemplate refuses work that the pool would do wrong.
func checkTemplate(_ rules, f Facts) *RefusedError {
	for _, rule := range f.Rules {
		if name, must := strings.CutPrefix(rule, "!"); must && !work.Understands(name) {
			return &RefusedError{
				fmt.Sprintf("The node's blocks follow the rule %q, which this program does not know.", name),
				"Update DMPool, or use Bitcoin Core.",
			}
		}
	}
	if foreign(f.NextVersion) {
		return &RefusedError{"The node asks for blocks of another proof of work (version bit 31).", useCore}
	}

	return nil
}

// foreign tells whether a block's version has bit 31. Bitcoin takes it for the sign and refuses the block.
func foreign(version uint32) bool { return version>>31 == 1 }
