package seed

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// purpose is that of BIP 84: addresses of the type P2WPKH.
const purpose = 84

// The two branches of an account.
const (
	Receive = 0 // addresses that are given to others
	Change  = 1 // addresses for what comes back
)

// Account is the first account of the words: m/84h/coin h/0h.
type Account struct {
	key         *hdkeychain.ExtendedKey
	coin        uint32
	fingerprint uint32 // of the master key
}

// errErased says that the words are none any more.
var errErased = errors.New("the words have been erased")

// Account makes the keys of a network. Of words that were erased it makes none:
// what is left of them are words, too, whose keys everybody has.
func (w Words) Account(params *chaincfg.Params) (*Account, error) {
	if !w.valid() {
		return nil, errErased
	}
	return w.account(params, "")
}

func (w Words) account(params *chaincfg.Params, phrase string) (*Account, error) {
	seed, err := w.seed(phrase)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	key, err := hdkeychain.NewMaster(seed, params)
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	a := &Account{coin: params.HDCoinType}
	for i, step := range []uint32{purpose, params.HDCoinType, 0} {
		child, err := key.Derive(hdkeychain.HardenedKeyStart + step)
		if err != nil {
			return nil, fmt.Errorf("derive account: %w", err)
		}
		if i == 0 {
			a.fingerprint = child.ParentFingerprint()
		}
		key.Zero()
		key = child
	}
	a.key = key
	return a, nil
}

// Fingerprint names the wallet: the first four bytes of the master key's hash, in
// hex. It tells nothing about the words.
func (a *Account) Fingerprint() string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a.fingerprint)
	return hex.EncodeToString(b[:])
}

// Descriptors returns what a wallet has to import in order to sign, one for each
// branch. They hold the private key of the account.
func (a *Account) Descriptors() (receive, change string) {
	key := a.key.String()
	return a.descriptor(key, Receive), a.descriptor(key, Change)
}

// Public returns the same with the public key: enough to see the coins, and not
// to move them.
func (a *Account) Public() (receive, change string, err error) {
	public, err := a.key.Neuter()
	if err != nil {
		return "", "", fmt.Errorf("take the private part off: %w", err)
	}
	key := public.String()
	return a.descriptor(key, Receive), a.descriptor(key, Change), nil
}

func (a *Account) descriptor(key string, branch int) string {
	text := fmt.Sprintf("wpkh([%s/%dh/%dh/0h]%s/%d/*)", a.Fingerprint(), purpose, a.coin, key, branch)
	return text + "#" + checksum(text)
}

// Script returns the output script of the address of that number on a branch.
func (a *Account) Script(branch int, number uint32) ([]byte, error) {
	key, err := a.key.Derive(uint32(branch))
	if err != nil {
		return nil, fmt.Errorf("derive branch %d: %w", branch, err)
	}
	defer key.Zero()
	leaf, err := key.Derive(number)
	if err != nil {
		return nil, fmt.Errorf("derive address %d: %w", number, err)
	}
	defer leaf.Zero()
	public, err := leaf.ECPubKey()
	if err != nil {
		return nil, fmt.Errorf("public key of address %d: %w", number, err)
	}
	return txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(address.Hash160(public.SerializeCompressed())).Script()
}

// Erase overwrites the keys. The account is of no use afterwards.
func (a *Account) Erase() { a.key.Zero() }

// String implements [fmt.Stringer], so that no log ever holds the keys.
func (a *Account) String() string { return "account " + a.Fingerprint() }

// GoString implements [fmt.GoStringer] for the same reason.
func (a *Account) GoString() string { return a.String() }
