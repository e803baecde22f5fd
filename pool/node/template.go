package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/dmpool/dmpool/pool/work"
)

// Template returns a block template (BIP 22, 23 and 145). With an empty longPollID the answer comes at once; otherwise
// the call waits until the node has something better than the template with that id: a new tip, or after a minute a
// changed mempool. On a quiet chain that can take for ever, so such a call has no deadline but that of ctx. Do not
// abandon it lightly: the node does not notice, and one of its RPC threads goes on waiting.
func (c *Client) Template(ctx context.Context, longPollID string) (*work.Template, error) {
	request := templateRequest{Rules: templateRules(), LongPollID: longPollID}
	call := c.call
	if longPollID != "" {
		call = c.roundTrip
	}

	var result json.RawMessage
	if err := call(ctx, "/", "getblocktemplate", &result, []any{request}); err != nil {
		return nil, err
	}

	t, err := work.ParseTemplate(result)
	if err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}

	return t, nil
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
