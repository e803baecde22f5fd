package node

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Chainstate is one of the sets of coins that the node keeps (getchainstates). There is one; a node that began from a
// snapshot has a second until it has verified the history before it.
type Chainstate struct {
	Blocks   int32          `json:"blocks"`             // height of its tip
	Snapshot chainhash.Hash `json:"snapshot_blockhash"` // of the block that it began behind; zero: it began at the first one
	// Validated says that the node has checked every block of it. It is false for one that began from a snapshot until
	// the history is verified; the next restart of the node makes it an ordinary one.
	Validated bool `json:"validated"`
}

// Chainstates returns the node's chainstates, the one that it works with last.
func (c *Client) Chainstates(ctx context.Context) ([]Chainstate, error) {
	var result struct {
		Chainstates []Chainstate `json:"chainstates"`
	}
	if err := c.Call(ctx, "getchainstates", &result); err != nil {
		return nil, err
	}
	if len(result.Chainstates) == 0 {
		return nil, fmt.Errorf("call getchainstates: %w: no chainstate", ErrBadAnswer)
	}

	return result.Chainstates, nil
}

// LoadSnapshot has the node begin with the coins of a file, which the node reads itself. It returns when that is done:
// after minutes or hours, so there is no deadline but ctx's; the node does not notice when ctx ends.
func (c *Client) LoadSnapshot(ctx context.Context, file string) error {
	return c.roundTrip(ctx, "/", "loadtxoutset", nil, []any{file})
}

// Dump is a snapshot that the node has written (dumptxoutset).
type Dump struct {
	Height int32          `json:"base_height"`
	Block  chainhash.Hash `json:"base_hash"`
	Coins  chainhash.Hash `json:"txoutset_hash"` // over all of them
	Path   string         `json:"path"`
}

// DumpSnapshot has the node write the coins after the block at a height into a file that does not exist yet. Nodes before
// version 32 go back to that block for it, and forward again, and do nothing else meanwhile. As with LoadSnapshot there
// is no deadline, and the node goes on when ctx ends.
func (c *Client) DumpSnapshot(ctx context.Context, file string, height int32) (Dump, error) {
	var d Dump
	args := Named{"path": file, "type": "rollback", "options": Named{"rollback": height}}
	err := c.roundTrip(ctx, "/", "dumptxoutset", &d, []any{args})

	return d, err
}

// Working reports whether the node works on a call of method.
func (c *Client) Working(ctx context.Context, method string) (bool, error) {
	methods, err := c.active(ctx)

	return slices.Contains(methods, method), err
}

// active returns the methods of the calls that the node works on.
func (c *Client) active(ctx context.Context) ([]string, error) {
	var result struct {
		Active []struct {
			Method string `json:"method"`
		} `json:"active_commands"`
	}
	err := c.Call(ctx, "getrpcinfo", &result)
	methods := make([]string, 0, len(result.Active))
	for _, command := range result.Active {
		methods = append(methods, command.Method)
	}

	return methods, err
}

var snapshotHeights = regexp.MustCompile(`snapshot heights are available: ([0-9, ]+)`)

// SnapshotHeights returns the heights of the snapshots that the node would load, as it names them when it is given one
// that it does not know; file is of that kind. Nil: it did not name them.
func (c *Client) SnapshotHeights(ctx context.Context, file string) ([]int32, error) {
	err := c.Call(ctx, "loadtxoutset", nil, file)
	code, answered := Code(err)
	if !answered || code == ErrCodeWarmup {
		return nil, err
	}
	match := snapshotHeights.FindStringSubmatch(err.Error())
	if match == nil {
		return nil, nil
	}
	var heights []int32
	for text := range strings.SplitSeq(match[1], ",") {
		height, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("call loadtxoutset: %w: a height of %q", ErrBadAnswer, text)
		}
		heights = append(heights, int32(height))
	}

	return heights, nil
}
