package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// ChainInfo is the node's view of the block chain (getblockchaininfo).
type ChainInfo struct {
	Chain                string         `json:"chain"` // main, test, testnet4, signet or regtest
	Blocks               int32          `json:"blocks"`
	Headers              int32          `json:"headers"`
	BestBlockHash        chainhash.Hash `json:"bestblockhash"`
	Time                 int64          `json:"time"`       // of the tip, unix seconds
	MedianTime           int64          `json:"mediantime"` // of the last 11 blocks, unix seconds
	VerificationProgress float64        `json:"verificationprogress"`
	InitialBlockDownload bool           `json:"initialblockdownload"`
	Pruned               bool           `json:"pruned"`
	PruneHeight          int32          `json:"pruneheight"`       // the lowest block that a pruned node has in full
	PruneTarget          int64          `json:"prune_target_size"` // bytes that it keeps of blocks; 0: no limit of its own
	SizeOnDisk           int64          `json:"size_on_disk"`      // bytes of blocks
	SignetChallenge      string         `json:"signet_challenge"`
	Warnings             Warnings       `json:"warnings"`
}

// NetworkInfo is the node's view of its peers (getnetworkinfo).
type NetworkInfo struct {
	Version        int      `json:"version"`    // such as 290500 for 29.5
	Subversion     string   `json:"subversion"` // such as "/Satoshi:29.0.0/"
	NetworkActive  bool     `json:"networkactive"`
	TimeOffset     int64    `json:"timeoffset"` // seconds by which the median of the peers' clocks is ahead of the node's; 0 with few peers
	Connections    int      `json:"connections"`
	ConnectionsIn  int      `json:"connections_in"`
	ConnectionsOut int      `json:"connections_out"`
	Warnings       Warnings `json:"warnings"`
}

// MempoolInfo describes the unconfirmed transactions that the node knows (getmempoolinfo).
type MempoolInfo struct {
	Loaded        bool  `json:"loaded"`
	Size          int   `json:"size"`          // transactions
	Bytes         int64 `json:"bytes"`         // virtual size of all of them
	TotalFee      Sats  `json:"total_fee"`     // fees of all of them
	MempoolMinFee Sats  `json:"mempoolminfee"` // per 1000 vB
	MinRelayTxFee Sats  `json:"minrelaytxfee"` // per 1000 vB
}

// Header is a block header together with its place in the chain (getblockheader).
type Header struct {
	Hash          chainhash.Hash
	Height        int32
	Confirmations int32 // -1: the block is not in the main chain
	Version       int32
	Time          uint32
	MedianTime    uint32
	Bits          uint32
	PrevHash      chainhash.Hash // zero for the genesis block
}

// UnmarshalJSON reads the result of getblockheader.
func (h *Header) UnmarshalJSON(b []byte) error {
	var raw struct {
		Hash          chainhash.Hash `json:"hash"`
		Height        int32          `json:"height"`
		Confirmations int32          `json:"confirmations"`
		Version       int32          `json:"version"`
		Time          uint32         `json:"time"`
		MedianTime    uint32         `json:"mediantime"`
		Bits          string         `json:"bits"`
		PrevHash      chainhash.Hash `json:"previousblockhash"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}

	bits, err := strconv.ParseUint(raw.Bits, 16, 32)
	if err != nil {
		return fmt.Errorf("parse bits: %w", err)
	}

	*h = Header{
		Hash: raw.Hash, Height: raw.Height, Confirmations: raw.Confirmations, Version: raw.Version,
		Time: raw.Time, MedianTime: raw.MedianTime, Bits: uint32(bits), PrevHash: raw.PrevHash,
	}

	return nil
}

// Warnings are the node's messages to its operator. Nodes before version 28 send one string instead of a list.
type Warnings []string

// UnmarshalJSON reads both forms.
func (w *Warnings) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*w = nil
		if one != "" {
			*w = Warnings{one}
		}

		return nil
	}

	return json.Unmarshal(b, (*[]string)(w))
}

// BlockchainInfo returns the state of the block chain.
func (c *Client) BlockchainInfo(ctx context.Context) (ChainInfo, error) {
	var info ChainInfo
	err := c.Call(ctx, "getblockchaininfo", &info)

	return info, err
}

// NetworkInfo returns the node's version and connections.
func (c *Client) NetworkInfo(ctx context.Context) (NetworkInfo, error) {
	var info NetworkInfo
	err := c.Call(ctx, "getnetworkinfo", &info)

	return info, err
}

// MempoolInfo returns the state of the node's mempool.
func (c *Client) MempoolInfo(ctx context.Context) (MempoolInfo, error) {
	var info MempoolInfo
	err := c.Call(ctx, "getmempoolinfo", &info)

	return info, err
}

// InMempool reports whether the transaction waits in the node's mempool.
func (c *Client) InMempool(ctx context.Context, txid chainhash.Hash) (bool, error) {
	err := c.Call(ctx, "getmempoolentry", nil, txid)
	if IsCode(err, ErrCodeNotFound) {
		return false, nil
	}

	return err == nil, err
}

// BestBlockHash returns the hash of the tip of the main chain.
func (c *Client) BestBlockHash(ctx context.Context) (chainhash.Hash, error) {
	var hash chainhash.Hash
	err := c.Call(ctx, "getbestblockhash", &hash)

	return hash, err
}

// BlockHash returns the hash of the main chain's block at height; ErrCodeParameter when there is none.
func (c *Client) BlockHash(ctx context.Context, height int32) (chainhash.Hash, error) {
	var hash chainhash.Hash
	err := c.Call(ctx, "getblockhash", &hash, height)

	return hash, err
}

// Header returns a block's header, also of a block that lost against another one (Confirmations -1). A block that
// the node does not know gives ErrCodeNotFound, which must not be taken for an orphan: the node may be behind or may
// have lost its newest blocks in a crash.
func (c *Client) Header(ctx context.Context, hash chainhash.Hash) (Header, error) {
	var header Header
	err := c.Call(ctx, "getblockheader", &header, hash)

	return header, err
}

// SubmitBlock offers a complete serialized block (BIP 22). The result is empty when the block was accepted;
// "duplicate" when the node knows it already, in the main chain or not; "inconclusive" when it is valid so far but not
// on the main chain; any other text is the reason of a rejection. A repeated call does no harm. The context should not be
// one that ends with a miner's connection.
func (c *Client) SubmitBlock(ctx context.Context, raw []byte) (result string, err error) {
	err = c.Call(ctx, "submitblock", &result, hex.EncodeToString(raw))

	return result, err
}

// Stop asks the node to shut down. It answers before it has: its process ends some time later.
func (c *Client) Stop(ctx context.Context) error {
	return c.Call(ctx, "stop", nil)
}

// Uptime returns how long the node has been running, in whole seconds.
func (c *Client) Uptime(ctx context.Context) (time.Duration, error) {
	var seconds int64
	err := c.Call(ctx, "uptime", &seconds)

	return time.Duration(seconds) * time.Second, err
}
