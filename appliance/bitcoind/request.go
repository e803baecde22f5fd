package bitcoind

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind/laid"
)

// Request is what the pool may wish of a node that runs under another user:
// numbers and choices from a list, and no text of which a part could become an
// option. The network is not in it, but in the name of the unit that reads it.
type Request struct {
	RPCPort    int    `json:"rpc_port"`
	ZMQPort    int    `json:"zmq_port"`
	PruneMiB   int    `json:"prune_mib"`
	DBCacheMiB int    `json:"dbcache_mib"`
	Offline    bool   `json:"offline"`
	Repair     Repair `json:"repair"` // of the next start alone
}

// request returns what of c, and which repair, the pool has to ask for.
func (c Conf) request(r Repair) Request {
	return Request{RPCPort: c.RPCPort, ZMQPort: c.ZMQPort, PruneMiB: c.PruneMiB, DBCacheMiB: c.DBCacheMiB, Offline: c.Offline, Repair: r}
}

// The bounds of a request. What is outside of them is no wish of a pool.
const (
	maxRequest    = 4096       // bytes
	maxPruneMiB   = 10_000_000 // ten times the chain of today
	maxDBCacheMiB = 65_536
)

// ParseRequest reads a request that nobody vouches for. What it returns makes a
// configuration that [Conf.Validate] accepts for every network.
func ParseRequest(text []byte) (Request, error) {
	if len(text) > maxRequest {
		return Request{}, fmt.Errorf("the request is longer than %d bytes", maxRequest)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var r Request
	if err := dec.Decode(&r); err != nil {
		return Request{}, fmt.Errorf("read request: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Request{}, errors.New("read request: there is more than one JSON value")
	}
	if err := r.check(); err != nil {
		return Request{}, fmt.Errorf("check request: %w", err)
	}
	return r, nil
}

func (r Request) check() error {
	switch r.Repair {
	case RepairNone, RepairCoins, RepairBlocks:
	default:
		return fmt.Errorf("%q is no repair", r.Repair)
	}
	if r.PruneMiB > maxPruneMiB {
		return fmt.Errorf("pruning to %d MiB is above %d", r.PruneMiB, maxPruneMiB)
	}
	if r.DBCacheMiB > maxDBCacheMiB {
		return fmt.Errorf("a cache of %d MiB is above %d", r.DBCacheMiB, maxDBCacheMiB)
	}
	return r.conf(Places{}, NetworkMain).Validate()
}

// conf returns the configuration that the request stands for.
func (r Request) conf(p Places, network string) Conf {
	c := p.Conf(network)
	c.RPCPort, c.ZMQPort, c.PruneMiB, c.DBCacheMiB, c.Offline = r.RPCPort, r.ZMQPort, r.PruneMiB, r.DBCacheMiB, r.Offline
	return c
}

// Networks returns the networks of which a node can run.
func Networks() []string {
	return []string{NetworkMain, NetworkTestnet4, NetworkSignet, NetworkPractice, NetworkRegtest}
}

// KnownNetwork returns an error unless the network is one of [Networks].
func KnownNetwork(network string) error {
	if !slices.Contains(Networks(), network) {
		return fmt.Errorf("network %q is not known; use main, testnet4, signet, practice or regtest", network)
	}
	return nil
}

// ask writes the request for the node's user to read.
func (p Places) ask(network string, r Request) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	if err := replace(p.request(network), append(text, '\n'), 0o640); err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	return nil
}

// asked returns what the pool has asked for last.
func (p Places) asked(network string) (Request, error) {
	text, err := laid.Read(p.request(network), maxRequest)
	if err != nil {
		return Request{}, fmt.Errorf("read request: %w", err)
	}
	return ParseRequest(text)
}

// Apply does what the pool asks for: it reads the request, checks it, and writes
// the node's options and the order for a repair. It runs as the node's user.
func (p Places) Apply(network string) error {
	if err := KnownNetwork(network); err != nil {
		return err
	}
	r, err := p.asked(network)
	if err != nil {
		return err
	}
	conf := r.conf(p, network)
	if err := conf.Write(); err != nil {
		return err
	}
	if r.Repair == RepairNone {
		return nil
	}
	if err := replace(conf.markFile(), []byte(r.Repair), 0o600); err != nil {
		return fmt.Errorf("order repair: %w", err)
	}
	return nil
}

// replace writes a file, whole or not at all. It is made in its own folder, of
// which it may have to get the group, and with these rights, whatever those of an
// older one are.
func replace(path string, text []byte, mode os.FileMode) error {
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.CloseAtomicallyReplace()
	}
	return errors.Join(err, file.Cleanup())
}
