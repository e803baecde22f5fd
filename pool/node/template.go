package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/jsoncut"
	"github.com/dmpool/dmpool/pool/work"
)

// Template returns a block template (BIP 22, 23 and 145). With an empty longPollID the answer comes at once; otherwise
// the call waits until the node has something better than the template with that id: a new tip, or after a minute a
// changed mempool. On a quiet chain that can take for ever, so such a call has no deadline but that of ctx. Do not
// abandon it lightly: the node does not notice, and one of its RPC threads goes on waiting. A template that the pool
// cannot work on is ErrTemplate; there is none from a node that Vouch does not vouch for.
func (c *Client) Template(ctx context.Context, longPollID string) (*work.Template, error) {
	request := templateRequest{Rules: templateRules(), LongPollID: longPollID}

	var result json.RawMessage
	if err := c.templateCall(longPollID)(ctx, "/", "getblocktemplate", &result, []any{request}); err != nil {
		return nil, err
	}

	t, err := work.ParseTemplate(result)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if err := c.vouchTemplate(ctx, t); err != nil {
		return nil, err
	}

	return t, nil
}

// waitTemplate is a long poll that looks only at which tip the node has and what to wait for next. With an empty
// longPollID it does not wait.
func (c *Client) waitTemplate(ctx context.Context, longPollID string) (tip chainhash.Hash, next string, err error) {
	request := templateRequest{Rules: templateRules(), LongPollID: longPollID}

	var result json.RawMessage
	if err := c.templateCall(longPollID)(ctx, "/", "getblocktemplate", &result, []any{request}); err != nil {
		return tip, "", err
	}

	// Nobody needs the transactions here, and decoding them would take longer than the miners should wait.
	if _, rest, ok := jsoncut.Cut(result, "transactions"); ok {
		result = rest
	}
	var fields struct {
		Tip        chainhash.Hash `json:"previousblockhash"`
		LongPollID string         `json:"longpollid"`
	}
	if err := json.Unmarshal(result, &fields); err != nil {
		return tip, "", fmt.Errorf("wait for template: %w: %w", ErrBadAnswer, err)
	}

	return fields.Tip, fields.LongPollID, nil
}

// templateCall is the way to call getblocktemplate: without a deadline when it waits.
func (c *Client) templateCall(longPollID string) func(context.Context, string, string, any, []any) error {
	if longPollID == "" {
		return c.call
	}

	return c.roundTrip
}

// waiting returns how many calls of getblocktemplate the node is working on.
func (c *Client) waiting(ctx context.Context) (int, error) {
	methods, err := c.active(ctx)
	n := 0
	for _, method := range methods {
		if method == "getblocktemplate" {
			n++
		}
	}

	return n, err
}

// ProposeBlock asks whether a block would be valid if its proof of work were (BIP 23 proposal mode). Empty means yes,
// else it is the reason why not. A signet commitment is not checked in this mode.
func (c *Client) ProposeBlock(ctx context.Context, raw []byte) (reason string, err error) {
	request := templateRequest{Mode: "proposal", Rules: templateRules(), Data: hex.EncodeToString(raw)}
	err = c.Call(ctx, "getblocktemplate", &reason, request)

	return reason, err
}

// templateRequest is the one argument of getblocktemplate.
type templateRequest struct {
	Mode       string   `json:"mode,omitempty"`
	Rules      []string `json:"rules"`
	LongPollID string   `json:"longpollid,omitempty"`
	Data       string   `json:"data,omitempty"`
}

// templateRules are the rule changes that work understands. A signet node insists on the second, others ignore it.
func templateRules() []string {
	return []string{"segwit", "signet"}
}
