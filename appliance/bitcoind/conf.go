package bitcoind

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The networks on which a managed node may run. Whether the program follows
// the rules of a public one is not decided here: nothing asks it for work
// before it has shown that.
const (
	NetworkMain     = "main"
	NetworkTestnet4 = "testnet4"
	// NetworkSignet is the public signet. Only its signers extend it.
	NetworkSignet = "signet"
	// NetworkPractice is a signet of our own: its challenge is OP_TRUE, so
	// that everybody can make blocks. It has no peers and its coins have no
	// value.
	NetworkPractice = "practice"
	// NetworkRegtest is bitcoind's own test chain.
	NetworkRegtest = "regtest"
)

// practiceChallenge is the BIP 325 challenge script of the practice network:
// OP_TRUE.
const practiceChallenge = "\x51"

// Conf is the configuration of a managed node. The zero value of a field that
// is not required means a default.
type Conf struct {
	Network string // one of the constants above
	Dir     string // data directory, absolute; made with mode 0700
	File    string // of the configuration; empty: bitcoin.conf in Dir
	// Cookie is the path of the RPC cookie for a node that runs under a user of its
	// own: its group may read it. Dir is there then, and the log goes into a file.
	// Empty: the node runs as this user, who alone may read what it writes.
	Cookie  string
	RPCPort int // on 127.0.0.1
	ZMQPort int // on 127.0.0.1, publishes hashblock
	P2PPort int // on 127.0.0.1, for test peers; 0: the node listens to nobody

	PruneMiB   int // keep about this much of the chain, at least 550; 0: all of it
	DBCacheMiB int // coins kept in memory; 0: 64, plenty for a private chain

	// Offline keeps a node of a public network from looking for peers: for
	// rehearsals. The private ones have none in any case.
	Offline bool
}

// private tells whether the chain lives on this machine alone.
func (c Conf) private() bool { return c.Network == NetworkPractice || c.Network == NetworkRegtest }

// DataDirName returns the folder name for the network's data directory. All
// signets use the same name inside bitcoind, and one that finds the files of
// another does not start; so the practice network is named by the hash of its
// challenge, in the form that its messages on the wire begin with (BIP 325).
func DataDirName(network string) string {
	if network != NetworkPractice {
		return network
	}
	// A script is hashed with its length in front, one byte here.
	first := sha256.Sum256([]byte{byte(len(practiceChallenge)), practiceChallenge[0]})
	second := sha256.Sum256(first[:])

	return network + "-" + hex.EncodeToString(second[:4])
}

// Path returns the path of the configuration.
func (c Conf) Path() string { return cmp.Or(c.File, filepath.Join(c.Dir, "bitcoin.conf")) }

// CookieFile returns the path of the RPC cookie. The node writes it at each
// start with a new password and removes it when it stops.
func (c Conf) CookieFile() string { return cmp.Or(c.Cookie, filepath.Join(c.chainDir(), ".cookie")) }

// RPCURL returns the address of the node's RPC.
func (c Conf) RPCURL() string { return "http://127.0.0.1:" + strconv.Itoa(c.RPCPort) }

// ZMQ returns the address at which the node publishes the hashes of new blocks.
func (c Conf) ZMQ() string { return "tcp://127.0.0.1:" + strconv.Itoa(c.ZMQPort) }

// chain is bitcoind's own name for the network.
func (c Conf) chain() string {
	if c.Network == NetworkPractice {
		return "signet"
	}
	return c.Network
}

// chainDir is where inside Dir bitcoind keeps this chain.
func (c Conf) chainDir() string {
	if c.Network == NetworkMain {
		return c.Dir
	}
	return filepath.Join(c.Dir, c.chain())
}

// lockFile is the file that a running bitcoind holds locked.
func (c Conf) lockFile() string { return filepath.Join(c.chainDir(), ".lock") }

// args is the command line. The file named by -conf has to be the one in the
// data directory: bitcoind refuses to start when it finds another there.
func (c Conf) args() []string {
	return []string{"-conf=" + c.Path(), "-datadir=" + c.Dir}
}

// Validate returns what is wrong with c, all of it, or nil.
func (c Conf) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.Network == "" {
		add("no network is named")
	} else if err := KnownNetwork(c.Network); err != nil {
		errs = append(errs, err)
	}
	if !filepath.IsAbs(c.Dir) {
		add("data directory %q is not an absolute path", c.Dir)
	}
	if c.Cookie != "" && (!filepath.IsAbs(c.Cookie) || strings.ContainsAny(c.Cookie, "#\n")) {
		add("cookie %q is not an absolute path without # and line breaks", c.Cookie)
	}

	seen := make(map[int]string)
	port := func(name string, n int) {
		switch other, taken := seen[n]; {
		case n < 1024 || n > 65535:
			add("%s port %d is not between 1024 and 65535", name, n)
		case taken:
			add("%s port %d is the %s port too", name, n, other)
		default:
			seen[n] = name
		}
	}
	port("RPC", c.RPCPort)
	port("ZMQ", c.ZMQPort)
	if c.P2PPort != 0 {
		port("P2P", c.P2PPort)
	}

	if c.PruneMiB != 0 && c.PruneMiB < 550 {
		add("pruning to %d MiB is below bitcoind's minimum of 550", c.PruneMiB)
	}
	if c.DBCacheMiB != 0 && c.DBCacheMiB < 4 {
		add("a cache of %d MiB is below bitcoind's minimum of 4", c.DBCacheMiB)
	}

	return errors.Join(errs...)
}

// Render returns the text of bitcoin.conf, or what Validate says.
//
// Everything but the chain's name stands in that chain's section, for outside
// of it options such as rpcport stop the node. A name that a bitcoind does not
// know is only logged when it comes from the file (on the command line it
// stops the node), so one text serves Bitcoin Core and Bitcoin Knots of version
// 29 and later. Only the line of a cookie elsewhere holds a path, and no # is in
// that: it would begin a comment.
func (c Conf) Render() (string, error) {
	if err := c.Validate(); err != nil {
		return "", err
	}

	var b strings.Builder
	comment := func(text string) { b.WriteString("\n# " + text + "\n") }
	set := func(option string, value any) { fmt.Fprintf(&b, "%s=%v\n", option, value) }

	b.WriteString("# Written by DMPool before each start of the node. Changes made here are lost.\n")
	set("chain", c.chain())
	fmt.Fprintf(&b, "[%s]\n", c.chain())
	if c.Network == NetworkPractice {
		set("signetchallenge", hex.EncodeToString([]byte(practiceChallenge)))
	}

	c.renderPeers(comment, set)

	cookie, readers := ".cookie", "owner"
	if c.Cookie == "" {
		comment("RPC and block notices, for this machine and this user only.")
	} else {
		comment("RPC and block notices, for this machine and one group of users only.")
		cookie, readers = c.Cookie, "group"
	}
	set("server", 1)
	set("rpcport", c.RPCPort)
	set("rpcbind", "127.0.0.1")
	set("rpcallowip", "127.0.0.1")
	set("rpccookiefile", cookie)
	set("rpccookieperms", readers)
	set("rpcthreads", 8)
	set("rpcworkqueue", 64)
	set("zmqpubhashblock", c.ZMQ())

	comment("Block templates: all the room there is, but for a large coinbase. Only Knots knows blockmaxsize.")
	set("blockmaxweight", 4000000)
	set("blockmaxsize", 4000000)
	set("blockreservedweight", 32000)
	set("persistmempool", 1)

	comment("The wallet is loaded by RPC, never listed: a damaged one would keep the node from starting.")
	set("nosettings", 1)
	set("addresstype", "bech32")
	set("changetype", "bech32")
	set("fallbackfee", 0)
	set("maxtxfee", "0.01")
	set("spendzeroconfchange", 0)
	set("walletrbf", 1)
	set("walletbroadcast", 1)

	if c.Cookie == "" {
		comment("The log goes to the pool, which keeps its end; a file would grow without limit.")
		set("nodebuglogfile", 1)
	} else {
		comment("What the machine gives.")
	}
	set("dbcache", c.dbCache())
	set("prune", c.PruneMiB)

	return b.String(), nil
}

// renderPeers writes how the node meets others. None is let in: a node at home
// finds its peers by itself, and nothing asks the router or Tor to open a door,
// which Core 30 would do unasked. With blocksonly, templates would have no fees.
func (c Conf) renderPeers(comment func(string), set func(string, any)) {
	alone := c.private() || c.Offline
	switch {
	case c.private():
		comment("A private chain: no peers, and nothing asks the router or Tor to open a door.")
	case c.Offline:
		comment("Offline: a public chain, but the node looks for no peers.")
	default:
		comment("The node finds its peers by itself; nothing asks the router or Tor to open a door.")
	}
	if c.P2PPort == 0 {
		set("listen", 0)
	} else {
		set("listen", 1)
		set("bind", "127.0.0.1:"+strconv.Itoa(c.P2PPort))
	}
	if alone {
		set("connect", 0)
		set("dnsseed", 0)
		set("discover", 0)
	} else {
		set("dnsseed", 1)
		set("maxuploadtarget", "5000M")
	}
	set("natpmp", 0)
	set("listenonion", 0)
	set("blocksonly", 0)
}

func (c Conf) dbCache() int {
	if c.DBCacheMiB == 0 {
		return 64
	}
	return c.DBCacheMiB
}

// Write writes the configuration, whole or not at all, for this user alone: who
// can write it can make the node run programs. It makes the data directory, where
// wallets will live, and closes it to others, unless the node has a user of its
// own, for whom systemd does that.
func (c Conf) Write() error {
	text, err := c.Render()
	if err != nil {
		return fmt.Errorf("configure node: %w", err)
	}
	if c.Cookie == "" {
		if err := os.MkdirAll(c.Dir, 0o700); err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
		if err := os.Chmod(c.Dir, 0o700); err != nil {
			return fmt.Errorf("close data directory to others: %w", err)
		}
	}
	if err := replace(c.Path(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write bitcoin.conf: %w", err)
	}
	return nil
}
