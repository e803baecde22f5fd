package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Keys of the setting table. Each value is JSON.
const (
	settingPool     = "pool"           // pool.Settings
	settingNode     = "node"           // nodeSettings
	settingWallet   = "wallet"         // walletSettings
	settingDisplay  = "display"        // displaySettings
	settingReward   = "reward_address" // the wallet's address that every coinbase pays
	settingPorts    = "node_ports"     // nodePorts
	settingPrune    = "node_prune_mib" // what was decided when the node first started, see nodePlan
	settingRepair   = "node_repair"    // nodeRepair
	settingOrigin   = "wallet_origin"  // walletOrigin
	settingRescan   = "wallet_rescan"  // walletRescan
	settingBackup   = "wallet_backup"  // WalletBackup
	settingBrought  = "wallet_brought" // walletBrought
	settingCap      = "wallet_cap"     // walletCap
	settingSnapshot = "node_snapshot"  // nodeSnapshot
	settingRelease  = "release"        // releaseNote
)

// nodeSettings are the operator's wishes for the node.
type nodeSettings struct {
	PruneMiB *int         `json:"prune_mib,omitempty"` // 0: keep all blocks; nil: decide by the disk
	External ExternalNode `json:"external,omitzero"`   // the node that somebody else runs; --node-url wins
	Download bool         `json:"download,omitempty"`  // get Bitcoin Core when the box has no node's program
}

// walletSettings say how the wallet is made and opened.
type walletSettings struct {
	Name   string `json:"name"`
	Unlock string `json:"unlock"` // unlockAuto or unlockAsk
	Words  bool   `json:"words"`  // its keys come from words that the operator writes down
}

// displaySettings are how texts are shown.
type displaySettings struct {
	Language string `json:"language"`
}

// nodePorts are the loopback ports of the managed node, kept so that they stay
// the same from start to start.
type nodePorts struct {
	RPC int `json:"rpc"`
	P2P int `json:"p2p"`
	ZMQ int `json:"zmq"`
}

// readSetting decodes the setting of that key into out and tells whether there
// is one.
func (a *Appliance) readSetting(ctx context.Context, key string, out any) (bool, error) {
	var value string
	err := a.db.Reader().QueryRowContext(ctx, `SELECT value FROM setting WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read setting %s: %w", key, err)
	}
	if err := json.Unmarshal([]byte(value), out); err != nil {
		return false, fmt.Errorf("decode setting %s: %w", key, err)
	}
	return true, nil
}

// writeSetting stores a setting inside a transaction.
func writeSetting(ctx context.Context, tx *sql.Tx, key string, value any, now time.Time) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode setting %s: %w", key, err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO setting (key, value, updated_at) VALUES (?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, rev = rev + 1, updated_at = excluded.updated_at`,
		key, string(text), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("write setting %s: %w", key, err)
	}
	return nil
}

// saveSetting stores a setting in a transaction of its own.
func (a *Appliance) saveSetting(ctx context.Context, key string, value any) error {
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		return writeSetting(ctx, tx, key, value, time.Now())
	})
}
