package bitcoind

import "path/filepath"

// Places says where everything lies of a node that runs as a unit of systemd,
// under a user of its own. Who may write where is what keeps the pool's user from
// becoming the node's:
//
//	/var/lib/dmpool-request         pool writes, node's user and installer read: wishes
//	/var/lib/dmpool-node-conf       node's user writes, but not the node itself: its options
//	/var/lib/dmpool-node/NETWORK    node writes: chain, wallets, log, last-exit.json
//	/var/lib/dmpool-bin             root writes, all read: Bitcoin Core
//	/run/dmpool-node-NETWORK        node writes: the cookie, which the pool reads
//
// The options are out of the node's own reach because whoever may call its RPC
// can make it write files, and an option can name a program to run.
type Places struct {
	Root string // in front of all paths, for tests
}

func (p Places) at(names ...string) string {
	return filepath.Join(append([]string{"/", p.Root}, names...)...)
}

// Node returns the folder above the nodes' data directories; the pool's user may
// measure its disk.
func (p Places) Node() string { return p.at("var/lib/dmpool-node") }

// Core returns the folder of the installed versions of Bitcoin Core.
func (p Places) Core() string { return p.at("var/lib/dmpool-bin") }

// Requests returns the folder of the pool's wishes.
func (p Places) Requests() string { return p.at("var/lib/dmpool-request") }

// Copies returns the folder in which node and pool keep copies of the wallet.
func (p Places) Copies(network string) string {
	return filepath.Join(p.Node(), network, "wallet-backups")
}

// Bundled returns the node's program that came with DMPool, if one did.
func (p Places) Bundled() string { return p.at(bundled) }

// Conf returns the configuration of a network's node with its places filled in.
func (p Places) Conf(network string) Conf {
	return Conf{
		Network: network,
		Dir:     filepath.Join(p.Node(), network),
		File:    filepath.Join(p.at("var/lib/dmpool-node-conf"), network+".conf"),
		Cookie:  filepath.Join(p.run(network), ".cookie"),
	}
}

func (p Places) run(network string) string   { return p.at("run/dmpool-node-" + network) }
func (p Places) words(network string) string { return filepath.Join(p.run(network), "stderr") }
func (p Places) report(network string) string {
	return filepath.Join(p.Node(), network, "last-exit.json")
}

func (p Places) request(network string) string {
	return filepath.Join(p.Requests(), "node-"+network+".json")
}
