package node

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Balances are the sums of the wallet's own coins.
type Balances struct {
	Trusted  Sats `json:"trusted"`           // confirmed, or our own unconfirmed change
	Pending  Sats `json:"untrusted_pending"` // received and not yet confirmed
	Immature Sats `json:"immature"`          // mined less than 100 blocks ago

	// LastBlock is the block up to which the wallet has followed the chain: for it the sums are true.
	LastBlock chainhash.Hash `json:"-"`
}

// WalletInfo describes the loaded wallet (getwalletinfo).
type WalletInfo struct {
	Name               string `json:"walletname"`
	TxCount            int    `json:"txcount"`
	PrivateKeysEnabled bool   `json:"private_keys_enabled"`
	Descriptors        bool   `json:"descriptors"`

	// Scanning: the wallet searches old blocks for its coins and does not know all of them yet.
	Scanning Scanning `json:"scanning"`

	// UnlockedUntil is the unix time at which the wallet locks itself, 0 when it is locked, nil when it is not encrypted.
	UnlockedUntil *int64 `json:"unlocked_until"`
}

// Scanning reads false, or the progress of a search, which is true.
type Scanning bool

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Scanning) UnmarshalJSON(b []byte) error {
	*s = Scanning(string(b) != "false")

	return nil
}

// Address is what the wallet knows about an address (getaddressinfo).
type Address struct {
	Address string   `json:"address"`
	Script  Hex      `json:"scriptPubKey"`
	Mine    bool     `json:"ismine"`
	Witness bool     `json:"iswitness"`
	Labels  []string `json:"labels"`
}

// ForWallet returns a client of the same node whose wallet calls go to another
// wallet. The two share their connections
// and what they know of the node.
func (c *Client) ForWallet(name string) *Client {
	other := &Client{config: c.config, http: c.http, trust: c.trust, cookie: c.cookie, timing: c.timing}
	other.UseWallet(name)

	return other
}

// CreateWallet creates a descriptor wallet, loads it, and encrypts it from its first moment: encrypting later would
// give it a new seed. It is not loaded by the node at its next start, because settings.json is the node's and not ours.
func (c *Client) CreateWallet(ctx context.Context, name, passphrase string) error {
	if passphrase == "" {
		return errors.New("create wallet: the passphrase is empty")
	}

	return c.Call(ctx, "createwallet", nil, Named{
		"wallet_name": name, "passphrase": passphrase, "descriptors": true, "load_on_startup": false,
	})
}

// LoadWallet loads a wallet that exists; ErrCodeNoWallet when it does not. A wallet that is loaded already is fine.
func (c *Client) LoadWallet(ctx context.Context, name string) error {
	err := c.Call(ctx, "loadwallet", nil, name)
	if IsCode(err, ErrCodeWalletLoaded) {
		return nil
	}

	return err
}

// UnloadWallet closes a wallet; ErrCodeNoWallet when it is not loaded.
func (c *Client) UnloadWallet(ctx context.Context, name string) error {
	return c.Call(ctx, "unloadwallet", nil, name)
}

// ListWallets returns the names of the wallets that are loaded.
func (c *Client) ListWallets(ctx context.Context) ([]string, error) {
	var names []string
	err := c.Call(ctx, "listwallets", &names)

	return names, err
}

// NewAddress returns a fresh segwit address. The type is always named, since a node's default may be another.
func (c *Client) NewAddress(ctx context.Context, label string) (string, error) {
	var address string
	err := c.WalletCall(ctx, "getnewaddress", &address, label, addressType)

	return address, err
}

// ChangeAddress returns a fresh segwit address for money that returns to the wallet. Unlike one of NewAddress it is not
// in the wallet's address book.
func (c *Client) ChangeAddress(ctx context.Context) (string, error) {
	var address string
	err := c.WalletCall(ctx, "getrawchangeaddress", &address, addressType)

	return address, err
}

// AddressInfo returns what the wallet knows about an address; ErrCodeNotFound when it is none on this chain.
func (c *Client) AddressInfo(ctx context.Context, address string) (Address, error) {
	var a Address
	err := c.WalletCall(ctx, "getaddressinfo", &a, address)

	return a, err
}

// Balances returns the wallet's own sums.
func (c *Client) Balances(ctx context.Context) (Balances, error) {
	var all struct {
		Mine          Balances `json:"mine"`
		LastProcessed struct {
			Hash chainhash.Hash `json:"hash"`
		} `json:"lastprocessedblock"`
	}
	err := c.WalletCall(ctx, "getbalances", &all)
	all.Mine.LastBlock = all.LastProcessed.Hash

	return all.Mine, err
}

// WalletInfo describes the wallet.
func (c *Client) WalletInfo(ctx context.Context) (WalletInfo, error) {
	var info WalletInfo
	err := c.WalletCall(ctx, "getwalletinfo", &info)

	return info, err
}

// Unlock opens the wallet's keys for d, rounded up to seconds. ErrCodeWrongPassphrase when the passphrase is wrong.
func (c *Client) Unlock(ctx context.Context, passphrase string, d time.Duration) error {
	seconds := int64((d + time.Second - 1) / time.Second)

	return c.WalletCall(ctx, "walletpassphrase", nil, passphrase, seconds)
}

// Lock closes the wallet's keys at once.
func (c *Client) Lock(ctx context.Context) error {
	return c.WalletCall(ctx, "walletlock", nil)
}

// addressType is the only type of address that the pool makes. With segwit inputs alone the id of a transaction is known
// before it is signed, on which the payouts rely.
const addressType = "bech32"

// Unspent is a coin of the wallet (listunspent).
type Unspent struct {
	TxID          chainhash.Hash `json:"txid"`
	Vout          uint32         `json:"vout"`
	Address       string         `json:"address"`
	Script        Hex            `json:"scriptPubKey"`
	Amount        Sats           `json:"amount"`
	Confirmations int32          `json:"confirmations"`
	Spendable     bool           `json:"spendable"`
	Safe          bool           `json:"safe"` // not from a stranger's unconfirmed transaction
}

// ListUnspent returns the wallet's coins with at least minConf confirmations that are not locked. Immature ones are not
// among them.
func (c *Client) ListUnspent(ctx context.Context, minConf int) ([]Unspent, error) {
	var coins []Unspent
	err := c.WalletCall(ctx, "listunspent", &coins, minConf)

	return coins, err
}

// outpoint is how the node writes a wire.OutPoint.
type outpoint struct {
	TxID chainhash.Hash `json:"txid"`
	Vout uint32         `json:"vout"`
}

// LockUnspent keeps coins from being chosen for a transaction, or with unlock frees them; nil outpoints with unlock
// frees all. A lock that is not persistent is gone after the node's restart. Locking a locked coin gives
// ErrCodeParameter, except to make it persistent.
func (c *Client) LockUnspent(ctx context.Context, unlock bool, outpoints []wire.OutPoint, persistent bool) error {
	if outpoints == nil && unlock {
		return c.WalletCall(ctx, "lockunspent", nil, true)
	}

	list := make([]outpoint, len(outpoints))
	for i, o := range outpoints {
		list[i] = outpoint{TxID: o.Hash, Vout: o.Index}
	}
	if unlock {
		return c.WalletCall(ctx, "lockunspent", nil, true, list)
	}

	return c.WalletCall(ctx, "lockunspent", nil, false, list, persistent)
}

// LockedUnspent returns the coins that are locked.
func (c *Client) LockedUnspent(ctx context.Context) ([]wire.OutPoint, error) {
	var list []outpoint
	if err := c.WalletCall(ctx, "listlockunspent", &list); err != nil {
		return nil, err
	}

	outpoints := make([]wire.OutPoint, len(list))
	for i, o := range list {
		outpoints[i] = wire.OutPoint{Hash: o.TxID, Index: o.Vout}
	}

	return outpoints, nil
}
