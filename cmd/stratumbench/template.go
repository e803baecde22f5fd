package main

import (
	"bytes"
	"crypto/rand"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/work"
)

const (
	easiestBits = 0x2100ffff // the highest target there is: with the slack of a share, every hash meets it
	branchCount = 12         // of a block with 2048 to 4095 transactions
	reward      = 3_1250_0000
)

// payoutScript is a P2WPKH script.
func payoutScript() []byte { return append([]byte{0, 20}, bytes.Repeat([]byte{7}, 20)...) }

// branchyTemplate returns a template with the branches of a full block but
// without its transactions.
func branchyTemplate() (*work.Template, error) {
	target, err := work.TargetFromBits(easiestBits)
	if err != nil {
		return nil, err
	}
	at := uint32(time.Now().Unix())
	t := &work.Template{
		Height: 900_000, Version: 0x20000000, PrevHash: randomHash(), Bits: easiestBits, Target: target,
		CurTime: at, MinTime: at - 3600, CoinbaseValue: reward,
		WitnessCommitment: append([]byte("\x6a\x24\xaa\x21\xa9\xed"), make([]byte, 32)...),
	}
	for range branchCount {
		t.Branches = append(t.Branches, randomHash())
	}
	return t, nil
}

func randomHash() (h chainhash.Hash) {
	_, _ = rand.Read(h[:]) // never fails
	return h
}
