package node

import (
	"context"
	"errors"
	"fmt"
)

// Descriptor is one branch of a wallet's keys, as text with its checksum.
type Descriptor struct {
	Desc     string `json:"desc"`
	Active   bool   `json:"active"`   // new addresses are made of it
	Internal bool   `json:"internal"` // for change
}

// descriptorRange is how many addresses of a branch a wallet looks out for beyond the last one in use; it is the node's
// own choice for wallets that it makes.
const descriptorRange = 1000

// UseWallet sends all wallet calls from now on to another wallet of the same node.
func (c *Client) UseWallet(name string) { c.wallet.Store(&name) }

// CreateBlankWallet creates an encrypted descriptor wallet without any keys, and loads it. It is for keys that are made
// elsewhere, see ImportDescriptors.
func (c *Client) CreateBlankWallet(ctx context.Context, name, passphrase string) error {
	if passphrase == "" {
		return errors.New("create wallet: the passphrase is empty")
	}

	return c.Call(ctx, "createwallet", nil, Named{
		"wallet_name": name, "passphrase": passphrase, "blank": true, "descriptors": true, "load_on_startup": false,
	})
}

// ImportDescriptors gives an unlocked wallet its keys, and makes them those of its new addresses. The chain is not read
// again for what they may have been paid before; see Rescan. Importing the same twice is fine. ErrCodeNeedPassphrase
// when the wallet is locked.
func (c *Client) ImportDescriptors(ctx context.Context, descriptors []Descriptor) error {
	requests := make([]Named, len(descriptors))
	for i, d := range descriptors {
		requests[i] = Named{
			"desc": d.Desc, "active": d.Active, "internal": d.Internal, "range": []int{0, descriptorRange - 1}, "timestamp": "now",
		}
	}
	var results []struct {
		Success bool `json:"success"`
		Error   struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := c.WalletCall(ctx, "importdescriptors", &results, requests); err != nil {
		return err
	}

	if len(results) != len(descriptors) {
		return fmt.Errorf("importdescriptors: %w: %d results for %d descriptors", ErrBadAnswer, len(results), len(descriptors))
	}
	for _, r := range results {
		if !r.Success {
			return &RPCError{Method: "importdescriptors", Code: r.Error.Code, Message: r.Error.Message}
		}
	}

	return nil
}

// Descriptors returns the wallet's public descriptors; none when it is blank.
func (c *Client) Descriptors(ctx context.Context) ([]Descriptor, error) {
	var all struct {
		Descriptors []Descriptor `json:"descriptors"`
	}
	err := c.WalletCall(ctx, "listdescriptors", &all)

	return all.Descriptors, err
}

// BackupWallet has the node write a copy of the wallet to a file, which must be absent or will be overwritten.
func (c *Client) BackupWallet(ctx context.Context, file string) error {
	return c.WalletCall(ctx, "backupwallet", nil, file)
}

// RestoreWallet makes a wallet of a backup, loads it and reads the blocks that it has not seen, which can take long:
// give ctx a deadline. The name may be the path of a folder that does not exist yet. ErrCodeNoWallet when the file is no
// wallet; ErrCodeWallet when it is older than what a pruned node keeps; ErrCodeWalletExists when there is a wallet of
// that name, be it a broken one.
func (c *Client) RestoreWallet(ctx context.Context, name, file string) error {
	return c.Call(ctx, "restorewallet", nil, Named{"wallet_name": name, "backup_file": file, "load_on_startup": false})
}

// Rescan has the wallet read the chain again from a height on, for coins of keys that were imported. It returns when
// that is done, so give ctx a deadline of hours. ErrCodeNeedPassphrase when the wallet is locked; once it reads, the node
// does not lock it before the end.
func (c *Client) Rescan(ctx context.Context, from int32) error {
	return c.WalletCall(ctx, "rescanblockchain", nil, from)
}

// ScanCoins adds up the coins of all addresses of public descriptors in the node's set of unspent coins. No wallet takes
// part, and it needs no old blocks: a pruned node can do it, too. It takes minutes on a long chain, so give ctx a
// deadline.
func (c *Client) ScanCoins(ctx context.Context, descriptors []Descriptor) (Sats, error) {
	objects := make([]Named, len(descriptors))
	for i, d := range descriptors {
		objects[i] = Named{"desc": d.Desc, "range": descriptorRange - 1}
	}
	var found struct {
		Success bool `json:"success"`
		Total   Sats `json:"total_amount"`
	}
	if err := c.Call(ctx, "scantxoutset", &found, "start", objects); err != nil {
		return 0, err
	}
	if !found.Success {
		return 0, errors.New("scantxoutset: the scan was aborted")
	}

	return found.Total, nil
}
