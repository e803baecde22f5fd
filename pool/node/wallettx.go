package node

import (
	"context"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// WalletTx is a transaction as the wallet sees it (gettransaction).
type WalletTx struct {
	TxID chainhash.Hash `json:"txid"`

	// Confirmations is negative when a conflicting transaction has that many, and 0 in the mempool, when evicted from it,
	// and for a coinbase that lost its block.
	Confirmations int32           `json:"confirmations"`
	BlockHash     *chainhash.Hash `json:"blockhash"`   // nil while unconfirmed
	BlockHeight   int32           `json:"blockheight"` // 0 while unconfirmed
	Amount        Sats            `json:"amount"`      // net effect on the wallet without the fee; 0 for an immature coinbase
	Fee           Sats            `json:"fee"`         // negative or 0: what the wallet paid
	Time          int64           `json:"time"`        // unix seconds

	WalletConflicts []chainhash.Hash `json:"walletconflicts"`
	ReplacedBy      *chainhash.Hash  `json:"replaced_by_txid"`
	Details         []WalletEntry    `json:"details"`
	Raw             Hex              `json:"hex"`
}

// WalletEntry is one of the wallet's movements: an output that it received, or that it paid to somebody. In Details the
// fields that the whole transaction shares are empty.
type WalletEntry struct {
	TxID          chainhash.Hash  `json:"txid"`
	Vout          uint32          `json:"vout"`
	Category      string          `json:"category"` // send, receive, generate, immature or orphan
	Address       string          `json:"address"`
	Label         string          `json:"label"`
	Amount        Sats            `json:"amount"` // negative when sent
	Fee           Sats            `json:"fee"`    // negative, only when sent
	Confirmations int32           `json:"confirmations"`
	BlockHash     *chainhash.Hash `json:"blockhash"`
	BlockHeight   int32           `json:"blockheight"`
	Abandoned     bool            `json:"abandoned"`
	Time          int64           `json:"time"` // unix seconds
}

// Since is what happened to the wallet after some block (listsinceblock).
type Since struct {
	Transactions []WalletEntry  `json:"transactions"`
	Removed      []WalletEntry  `json:"removed"` // of blocks that left the main chain; they may also be in Transactions again
	LastBlock    chainhash.Hash `json:"lastblock"`
}

// WalletTx returns a transaction of the wallet; ErrCodeNotFound when it is none.
func (c *Client) WalletTx(ctx context.Context, txid chainhash.Hash) (WalletTx, error) {
	var tx WalletTx
	err := c.WalletCall(ctx, "gettransaction", &tx, txid)

	return tx, err
}

// Abandoned reports whether the wallet was told that this payment will never confirm, so that its coins are free.
func (t WalletTx) Abandoned() bool {
	return slices.ContainsFunc(t.Details, func(e WalletEntry) bool { return e.Category == "send" && e.Abandoned })
}

// ListSinceBlock returns the wallet's movements in the blocks after the given one and in the mempool. The zero hash
// means all. It follows a reorganisation: for a block that left the main chain, what left with it is in Removed. A block
// that the node does not know gives ErrCodeNotFound.
func (c *Client) ListSinceBlock(ctx context.Context, block chainhash.Hash) (Since, error) {
	args := Named{"include_removed": true}
	if block != (chainhash.Hash{}) {
		args["blockhash"] = block
	}

	var since Since
	err := c.WalletCall(ctx, "listsinceblock", &since, args)

	return since, err
}
