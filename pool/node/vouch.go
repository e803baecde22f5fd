package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/node/guard"
	"github.com/dmpool/dmpool/pool/work"
)

// trust is what a client, and all that ForWallet made of it, knows about whom it talks to. It ends with the contact: who
// answers after a break may be another program, or the same after an upgrade.
type trust struct {
	contact atomic.Uint64 // how often contact was lost
	vouched atomic.Pointer[vouched]
}

// vouched are the facts with which a node has passed.
type vouched struct {
	contact uint64
	facts   guard.Facts
}

// Vouch returns nil when the node follows the chain of the configuration (see package guard), a [*guard.RefusedError]
// when it does not, and another error when it could not be asked. It asks once after each loss of contact. Calls that ask
// for work or could move money do this by themselves and go no further without, whoever makes them.
func (c *Client) Vouch(ctx context.Context) error {
	_, err := c.vouch(ctx)
	return err
}

// admit returns why method must not be called now. Whether a node with a fixed password has been restarted need not
// show, so it is looked at before each payment.
func (c *Client) admit(ctx context.Context, method string) error {
	if !needsTrust(method) {
		return nil
	}
	if c.config.CookieFile == "" && method != "getblocktemplate" {
		c.trust.contact.Add(1)
	}

	return c.Vouch(ctx)
}

// needsTrust reports whether method asks for work, or lets money go. Submitting a block is not among them: it costs
// nothing on a wrong chain, and waiting may cost the block on the right one.
func needsTrust(method string) bool {
	switch method {
	case "getblocktemplate",
		"walletpassphrase", "walletcreatefundedpsbt", "walletprocesspsbt", "psbtbumpfee", "bumpfee",
		"send", "sendall", "sendmany", "sendtoaddress", "sendrawtransaction":
		return true
	}

	return false
}

func (c *Client) vouch(ctx context.Context) (guard.Facts, error) {
	contact := c.trust.contact.Load()
	if v := c.trust.vouched.Load(); v != nil && v.contact == contact {
		return v.facts, nil
	}

	facts, err := c.facts(ctx)
	if err != nil {
		return facts, fmt.Errorf("look at the node's chain: %w", err)
	}
	if err := guard.Judge(c.config.Network, facts); err != nil {
		return facts, err
	}
	// Contact that was lost meanwhile leaves this behind, and the next call asks again.
	c.trust.vouched.Store(&vouched{contact, facts})

	return facts, nil
}

// vouchTemplate looks at the block that a template builds on, once for each, and at what the template demands.
func (c *Client) vouchTemplate(ctx context.Context, t *work.Template) error {
	contact := c.trust.contact.Load()
	facts, err := c.vouch(ctx)
	if err != nil {
		return err
	}
	if facts.Tip != t.PrevHash {
		facts.Tip = t.PrevHash
		if facts.Header, err = c.rawHeader(ctx, t.PrevHash); err != nil {
			return fmt.Errorf("look at the template's parent: %w", err)
		}
	}
	facts.Rules, facts.NextVersion = t.Rules, t.Version
	if err := guard.Judge(c.config.Network, facts); err != nil {
		return err
	}
	c.trust.vouched.Store(&vouched{contact, facts})

	return nil
}

// facts asks for everything that the guard wants to know, but for a template.
func (c *Client) facts(ctx context.Context) (guard.Facts, error) {
	chain, err := c.BlockchainInfo(ctx)
	if err != nil {
		return guard.Facts{}, err
	}
	network, err := c.NetworkInfo(ctx)
	if err != nil {
		return guard.Facts{}, err
	}
	f := guard.Facts{
		Chain: chain.Chain, Challenge: chain.SignetChallenge, Subversion: network.Subversion, Version: network.Version,
		Blocks: make(map[int32]chainhash.Hash), Tip: chain.BestBlockHash,
	}
	if f.Deployments, err = c.deployments(ctx); err != nil {
		return f, err
	}
	if f.Header, err = c.rawHeader(ctx, f.Tip); err != nil {
		return f, err
	}
	for _, known := range guard.Checkpoints(guard.Network(f.Chain, f.Challenge)) {
		if known.Height > chain.Blocks {
			break
		}
		if f.Blocks[known.Height], err = c.BlockHash(ctx, known.Height); err != nil {
			return f, err
		}
	}

	return f, nil
}

// deployments returns the changes of the rules that the node knows of, by name, with their types. Knots tells of its
// hard fork not among them but beside them.
func (c *Client) deployments(ctx context.Context) (map[string]string, error) {
	var info struct {
		Deployments map[string]struct {
			Type string `json:"type"`
		} `json:"deployments"`
		Blake2b any `json:"blake2b"`
	}
	if err := c.Call(ctx, "getdeploymentinfo", &info); err != nil {
		return nil, err
	}
	types := make(map[string]string, len(info.Deployments)+1)
	for name, d := range info.Deployments {
		types[name] = d.Type
	}
	if info.Blake2b != nil {
		types["blake2b"] = ""
	}

	return types, nil
}

// rawHeader returns a block's header as the node serializes it, of whatever length.
func (c *Client) rawHeader(ctx context.Context, hash chainhash.Hash) ([]byte, error) {
	var header Hex
	err := c.Call(ctx, "getblockheader", &header, hash, false)

	return header, err
}

// note ends the trust when err tells that contact was lost. A call that its own caller broke off says nothing.
func (t *trust) note(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	for _, lost := range []error{ErrStarting, ErrUnreachable, ErrUnauthorized, ErrCookie} {
		if errors.Is(err, lost) {
			t.contact.Add(1)
			return
		}
	}
	if IsCode(err, ErrCodeWarmup) {
		t.contact.Add(1)
	}
}
