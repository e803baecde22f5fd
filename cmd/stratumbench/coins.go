package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// coin is an output of the script anyone.
type coin struct {
	at    wire.OutPoint
	value int64
}

// anyoneWitness is the script that takes two elements off the stack and agrees:
// they stand for a signature and a key, so that a spend is as long as a real one.
const anyoneWitness = "\x6d\x51" // OP_2DROP OP_TRUE

// anyone is the P2WSH output script of anyoneWitness.
func anyone() []byte {
	hash := sha256.Sum256([]byte(anyoneWitness))
	return append([]byte{0, sha256.Size}, hash[:]...)
}

// spend divides a coin, less the fee, among equal new ones.
func spend(from coin, count int, fee int64) (raw []byte, coins []coin, err error) {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&from.at, nil, wire.TxWitness{make([]byte, 72), make([]byte, 33), []byte(anyoneWitness)}))
	value := (from.value - fee) / int64(count)
	for range count {
		tx.AddTxOut(wire.NewTxOut(value, anyone()))
	}
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		return nil, nil, err
	}
	hash := tx.TxHash()
	for i := range count {
		coins = append(coins, coin{*wire.NewOutPoint(&hash, uint32(i)), value})
	}
	return b.Bytes(), coins, nil
}

// makeCoins mines until there are so many coins to spend.
func (c *chain) makeCoins(ctx context.Context, count int) error {
	const (
		sources  = 2 // coinbases: a transaction with half of 4400 outputs is just not too large to be relayed
		maturity = 100
	)
	var rewards []coin
	for range sources + maturity {
		coinbase, err := c.mineNow(ctx, empty)
		if err != nil {
			return err
		}
		hash := coinbase.TxHash()
		rewards = append(rewards, coin{*wire.NewOutPoint(&hash, 0), coinbase.TxOut[0].Value})
	}
	for i := range sources {
		part := (count + i) / sources
		raw, coins, err := spend(rewards[i], part, int64(1000+100*part))
		if err != nil {
			return err
		}
		if err := c.add(ctx, raw, rewards[i].value-int64(part)*coins[0].value); err != nil {
			return fmt.Errorf("divide a reward: %w", err)
		}
		c.coins = append(c.coins, coins...)
	}
	_, err := c.mineNow(ctx, withTxs)
	return err
}

// spendCoins fills the mempool with a transaction for each coin, with one input
// and two outputs.
func (c *chain) spendCoins(ctx context.Context) error {
	for i, from := range c.coins {
		raw, coins, err := spend(from, 2, 400)
		if err != nil {
			return err
		}
		if err := c.add(ctx, raw, from.value-2*coins[0].value); err != nil {
			return err
		}
		c.coins[i] = coins[0]
	}
	return nil
}
