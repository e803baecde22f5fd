package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Ability is something that a pool wants of its node, and whether this node has it.
type Ability struct {
	Name   string // "work", "wallet", "history" or "announcements"
	OK     bool
	Needed bool   // without it something of the pool does not run at all
	Text   string // a sentence on it, with what the node's owner can do where there is something
}

// Calls that the pool makes, and that do nothing when their arguments are missing: bitcoind looks who may call first, and
// answers with the call's description. So they tell what a user may do (rpcwhitelist) without doing it. Calls without
// arguments that would change something are left out.
func workCalls() []string {
	return []string{"getblocktemplate", "submitblock", "getblockheader", "getblockhash", "getbestblockhash", "getmempoolinfo"}
}

func walletCalls() []string {
	return []string{
		"createwallet", "loadwallet", "backupwallet", "importdescriptors", "listwallets", "getaddressinfo", "gettransaction",
		"lockunspent", "walletpassphrase", "walletcreatefundedpsbt", "walletprocesspsbt", "finalizepsbt",
		"testmempoolaccept", "sendrawtransaction", "getmempoolentry", "gettxspendingprevout",
	}
}

// Abilities asks the node for all that the pool wants of it. It changes nothing there. Whether the chain is the right one
// is told by Vouch.
func (c *Client) Abilities(ctx context.Context) ([]Ability, error) {
	chain, err := c.BlockchainInfo(ctx)
	if err != nil {
		return nil, err
	}
	work, err := c.workAbility(ctx)
	if err != nil {
		return nil, err
	}
	wallet, err := c.walletAbility(ctx)
	if err != nil {
		return nil, err
	}
	announcements, err := c.announcing(ctx)
	if err != nil {
		return nil, err
	}

	return []Ability{work, wallet, historyOf(chain), announcements}, nil
}

func (c *Client) workAbility(ctx context.Context) (Ability, error) {
	return c.ability(ctx, "work", workCalls(), "It gives work to the miners and takes their blocks.", func(missing []string) string {
		return "It does not know " + strings.Join(missing, ", ") + ", so it cannot give work to miners. Use Bitcoin Core."
	})
}

func (c *Client) walletAbility(ctx context.Context) (Ability, error) {
	return c.ability(ctx, "wallet", walletCalls(), "It can keep the pool's wallet.", func([]string) string {
		return "It runs without wallets (disablewallet=1, or built without them), and the pool keeps its wallet in the node. " +
			"Start it with wallets."
	})
}

// ability is one that the pool needs and that takes some calls.
func (c *Client) ability(ctx context.Context, name string, calls []string, good string, without func(missing []string) string) (Ability, error) {
	a := Ability{Name: name, Needed: true}
	forbidden, missing, err := c.tryCalls(ctx, calls)
	switch {
	case err != nil:
		return a, err
	case len(forbidden) > 0:
		a.Text = mayNot(forbidden)
	case len(missing) > 0:
		a.Text = without(missing)
	default:
		a.OK, a.Text = true, good
	}

	return a, nil
}

func mayNot(calls []string) string {
	return fmt.Sprintf("It does not let the pool call %s. Add that to the rpcwhitelist of the pool's user in bitcoin.conf.", strings.Join(calls, ", "))
}

func historyOf(chain ChainInfo) Ability {
	if chain.Pruned {
		return Ability{Name: "history", Text: fmt.Sprintf(
			"It is pruned: it has the blocks from %d on. That is enough to mine; a wallet that is restored can be searched for from there only.", chain.PruneHeight)}
	}

	return Ability{Name: "history", OK: true, Text: "It keeps the whole chain."}
}

func (c *Client) announcing(ctx context.Context) (Ability, error) {
	a := Ability{Name: "announcements"}
	address, err := c.BlockPublisher(ctx)
	if err != nil && !errors.Is(err, ErrForbidden) {
		return a, err
	}
	if address == "" {
		a.Text = "It does not announce new blocks to this box over ZMQ (zmqpubhashblock); the box asks it several times a second instead."
		return a, nil
	}
	a.OK, a.Text = true, "It announces new blocks at "+address+"."

	return a, nil
}

// tryCalls returns which of calls the node forbids and which it does not know.
func (c *Client) tryCalls(ctx context.Context, calls []string) (forbidden, missing []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, method := range calls {
		err := c.tryCall(ctx, method)
		_, answered := Code(err)
		switch {
		case errors.Is(err, ErrForbidden):
			forbidden = append(forbidden, method)
		case IsCode(err, ErrCodeMethodNotFound):
			missing = append(missing, method)
		case IsCode(err, ErrCodeWarmup), err != nil && !answered:
			return nil, nil, err
		}
	}

	return forbidden, missing, nil
}

// tryCall calls method without arguments. It asks nobody whether the node may be trusted: nothing is done.
func (c *Client) tryCall(ctx context.Context, method string) error {
	body, err := c.encode(method, nil)
	if err != nil {
		return fmt.Errorf("try %s: %w", method, err)
	}
	status, answer, err := c.post(ctx, "/", method, body)
	if err != nil {
		return fmt.Errorf("try %s: %w", method, err)
	}
	if _, err := decode(method, status, answer); err != nil {
		return fmt.Errorf("try %s: %w", method, err)
	}

	return nil
}
