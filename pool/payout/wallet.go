package payout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/node"
)

// Wallet is what payouts need of bitcoind and its wallet; *[node.Client] has it.
// Only SendRaw lets money leave, and it is given the same bytes however often it
// is called.
type Wallet interface {
	BlockchainInfo(ctx context.Context) (node.ChainInfo, error)

	Header(ctx context.Context, hash chainhash.Hash) (node.Header, error)

	WalletInfo(ctx context.Context) (node.WalletInfo, error)
	Balances(ctx context.Context) (node.Balances, error)
	AddressInfo(ctx context.Context, address string) (node.Address, error)
	ListUnspent(ctx context.Context, minConf int) ([]node.Unspent, error)
	LockUnspent(ctx context.Context, unlock bool, outpoints []wire.OutPoint, persistent bool) error
	LockedUnspent(ctx context.Context) ([]wire.OutPoint, error)

	ChangeAddress(ctx context.Context) (string, error)
	FeeRate(ctx context.Context, blocks int) (satPerVB string, err error)
	FundPSBT(ctx context.Context, outputs []node.PayTo, o node.FundOptions) (node.Funded, error)
	Unlock(ctx context.Context, passphrase string, d time.Duration) error
	ProcessPSBT(ctx context.Context, psbt string) (signed string, complete bool, err error)
	Lock(ctx context.Context) error
	FinalizePSBT(ctx context.Context, psbt string) (raw []byte, complete bool, err error)

	TestAccept(ctx context.Context, raw []byte) (allowed bool, reason string, err error)
	SendRaw(ctx context.Context, raw []byte, maxFeeRate string) (chainhash.Hash, error)
	Descendants(ctx context.Context, txid chainhash.Hash) (int, error)
	Spenders(ctx context.Context, coins []wire.OutPoint) ([]chainhash.Hash, error)
	WalletTx(ctx context.Context, txid chainhash.Hash) (node.WalletTx, error)
	ListSinceBlock(ctx context.Context, block chainhash.Hash) (node.Since, error)
}

// Passphrase gives the wallet's passphrase for the moment of signing. It is
// [ErrLocked] as long as the operator has not entered it since the last start.
type Passphrase interface {
	Passphrase(ctx context.Context) (string, error)
}

// ErrLocked says that nobody has entered the wallet's passphrase yet.
var ErrLocked = errors.New("wallet passphrase has not been entered")

// unlockFor is how long the wallet's keys are open at most for one signature.
const unlockFor = 10 * time.Second

// problemError is a sentence for the operator. It stands on the payout until the
// next attempt, and changes nothing else.
type problemError string

// Error returns the sentence.
func (p problemError) Error() string { return string(p) }

// problemf makes a problemError.
func problemf(format string, args ...any) error {
	return problemError(fmt.Sprintf(format, args...))
}

// Sentence returns what err means to the operator, and false when it is about
// this program or its database and so not about the payout.
func Sentence(err error) (string, bool) {
	if p, ok := errors.AsType[problemError](err); ok {
		return string(p), true
	}
	if _, answered := node.Code(err); answered || node.Unavailable(err) {
		return node.Sentence(err), true
	}

	return "", false
}

// chainParams returns the address parameters of a chain as bitcoind names it.
func chainParams(chain string) (*chaincfg.Params, error) {
	switch chain {
	case "main":
		return &chaincfg.MainNetParams, nil
	case "test":
		return &chaincfg.TestNet3Params, nil
	case "testnet4":
		return &chaincfg.TestNet4Params, nil
	case "signet":
		return &chaincfg.SigNetParams, nil
	case "regtest":
		return &chaincfg.RegressionNetParams, nil
	}

	return nil, problemf("The Bitcoin node is on the chain %q, which this program does not know.", chain)
}

// checkAddresses makes sure that on this chain the items' addresses mean the
// scripts under which their accounts earned the money.
func checkAddresses(items []Item, params *chaincfg.Params) error {
	for _, i := range items {
		a, err := address.DecodeAddress(i.Address, params)
		if err != nil || !a.IsForNet(params) {
			return problemf("%s is not an address of the chain %s. Cancel the payout and put the account on hold.",
				i.Address, params.Name)
		}
		script, err := txscript.PayToAddrScript(a)
		if err != nil || !bytes.Equal(script, i.Script) {
			return problemf("The address %s does not belong to the script of its account. Cancel the payout and put the account on hold.",
				i.Address)
		}
	}

	return nil
}

// isMine asks the wallet whether it owns a script.
func (d *Desk) isMine(ctx context.Context, script []byte, params *chaincfg.Params) (bool, error) {
	_, addresses, _, err := txscript.ExtractPkScriptAddrs(script, params)
	if err != nil || len(addresses) != 1 {
		return false, nil // a script without an address is nobody's
	}
	info, err := d.wallet.AddressInfo(ctx, addresses[0].EncodeAddress())
	if err != nil {
		return false, err
	}

	return info.Mine && bytes.Equal(info.Script, script), nil
}
