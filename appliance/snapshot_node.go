package appliance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dmpool/dmpool/appliance/bitcoind/snapshot"
	"github.com/dmpool/dmpool/pool/node"
)

// SnapshotNode is a node that writes a snapshot for this one. What it needs to log
// in is used once and kept nowhere.
type SnapshotNode struct {
	URL            string
	CookieFile     string // in which it leaves its password; or
	User, Password string
	Folder         string // into which the node may write, and from which this program may read
	Height         int32  // of the block; one of [SnapshotStatus.Heights]
}

// oldestDumper is the first version that writes what this one's node reads, for a
// block that is not its newest.
const oldestDumper = 280_000

// inspectNode looks whether a node can write the snapshot of an order. Only one on
// this machine can: the file has to get here, and only the node itself could send
// it. For any other the answer says what to run there.
func (k *snapshotKeeper) inspectNode(ctx context.Context, o *snapshotOrder) error {
	n := o.wish.Node
	i := slices.IndexFunc(k.bases, func(b snapshot.Base) bool { return b.Height == n.Height })
	if i < 0 {
		return fmt.Errorf("no node begins behind block %d; take one of %v", n.Height, k.a.Snapshot().Heights)
	}
	o.base = k.bases[i]
	login := ExternalNode{URL: n.URL, CookieFile: n.CookieFile, User: n.User}
	if n.User != "" {
		login.PasswordFile = "typed"
	}
	if err := login.check(); err != nil || n.URL == "" {
		return errors.New("the address or the login of the node is not complete: it takes an address like http://127.0.0.1:8332, and either the path of its cookie, or a user and a password")
	}
	if u, err := url.Parse(n.URL); err != nil || !node.OnThisMachine(u.Hostname()) {
		return fmt.Errorf("the node at %s is on another machine and cannot write a file here. Run there: %s — then bring the file to this box, "+
			"on a USB disk or over the network, and load it as a file", n.URL, DumpCommand(n.Height))
	}
	if !filepath.IsAbs(n.Folder) {
		return fmt.Errorf("%q is no full path of a folder", n.Folder)
	}
	o.path = filepath.Join(n.Folder, fmt.Sprintf("utxo-%d.dat", n.Height))
	if _, err := os.Lstat(o.path); err == nil {
		return fmt.Errorf("there is a file %s already; load it as a file, or delete it", o.path)
	}
	o.client = node.New(node.Config{URL: n.URL, CookieFile: n.CookieFile, User: n.User, Password: n.Password})
	err := k.canDump(ctx, o)
	if err == nil {
		err = k.fits(ctx, o.base, 0) // how large the file gets is seen when it is there
	}
	if err != nil {
		o.client.CloseIdle()
	}
	return err
}

// canDump asks the other node whether it has the block, and what it takes to go
// back there.
func (k *snapshotKeeper) canDump(ctx context.Context, o *snapshotOrder) error {
	info, err := o.client.NetworkInfo(ctx)
	if err != nil {
		return errors.New(strings.TrimSuffix(o.external().explain(err), "."))
	}
	if info.Version < oldestDumper {
		return fmt.Errorf("the node is %s; a snapshot takes Bitcoin Core 28 or newer", info.Subversion)
	}
	chain, err := o.client.BlockchainInfo(ctx)
	if err != nil {
		return fmt.Errorf("ask the other node for its chain: %w", err)
	}
	if chain.Blocks < o.base.Height {
		return fmt.Errorf("the node at %s has %d blocks only, and the snapshot is of block %d", o.wish.Node.URL, chain.Blocks, o.base.Height)
	}
	if chain.Pruned && chain.PruneHeight > o.base.Height {
		return fmt.Errorf("the node at %s keeps only the blocks from %d on, so it cannot go back to block %d", o.wish.Node.URL, chain.PruneHeight, o.base.Height)
	}
	block, err := o.client.BlockHash(ctx, o.base.Height)
	if err != nil {
		return fmt.Errorf("ask the other node for block %d: %w", o.base.Height, err)
	}
	if block != o.base.Block {
		return fmt.Errorf("the node at %s follows another chain: its block %d is %s", o.wish.Node.URL, o.base.Height, block)
	}
	return nil
}

// DumpCommand is what a person runs where another node is, to have it write a
// snapshot of the block at height.
func DumpCommand(height int32) string {
	return fmt.Sprintf("bitcoin-cli -rpcclienttimeout=0 -named dumptxoutset utxo-%[1]d.dat rollback=%[1]d", height)
}

// dump has the other node write the file, and opens it.
func (k *snapshotKeeper) dump(ctx context.Context, o *snapshotOrder) error {
	k.say(SnapshotDumping, fmt.Sprintf("The node at %s writes the snapshot of block %d to %s. Up to version 31 it goes back to that block for it, "+
		"does nothing else meanwhile, and it can take hours.", o.wish.Node.URL, o.base.Height, o.path))
	d, err := o.client.DumpSnapshot(ctx, o.path, o.base.Height)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w; the other node goes on with it, and its file %s is not touched", context.Cause(ctx), o.path)
	case err != nil:
		return fmt.Errorf("the other node did not write %s: %w", o.path, err)
	case d.Block != o.base.Block || d.Coins != o.base.Coins:
		return fmt.Errorf("the other node wrote coins that are not those of block %d (%s)", o.base.Height, d.Coins)
	}
	f, length, err := openPlain(o.path)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the other node wrote %s, which only its own user may read: run `sudo chown %d %s`, then load it as a file", o.path, os.Getuid(), o.path)
	}
	if err != nil {
		return err
	}
	o.file = f
	return k.fits(ctx, o.base, length)
}

// external is the other node in the words of the nodes that somebody else runs.
func (o *snapshotOrder) external() ExternalNode {
	return ExternalNode{URL: o.wish.Node.URL, CookieFile: o.wish.Node.CookieFile, User: o.wish.Node.User, PasswordFile: "the form"}
}
