package shares

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Share is a share that was accepted.
type Share struct {
	Address    string          // payout address in its canonical form
	Script     []byte          // its scriptPubKey: equal scripts are one account
	Worker     string          // the worker's name, may be empty
	At         time.Time       // when it arrived
	Work       int64           // expected hashes of the assigned target, at least 1
	Difficulty float64         // the assigned difficulty, for display
	Achieved   float64         // the difficulty of the hash, for display
	Bits       uint32          // nBits of the job: the network's difficulty
	Late       bool            // for a job of the previous block, within the grace time
	Block      *chainhash.Hash // hash of the block that this share found, or nil
	UserAgent  string          // of the mining software
}

// entry is a share with its place in the log.
type entry struct {
	Seq int64
	Share
}

// check makes the share what will be stored. A score is at most 1, so work
// beyond the network's is cut off: that happens only on test networks.
func (s *Share) check(network int64) error {
	switch {
	case s.Address == "":
		return errors.New("share has no address")
	case s.Work < 1:
		return fmt.Errorf("share has work %d", s.Work)
	}

	s.Work = min(s.Work, network)
	s.Difficulty = finite(s.Difficulty)
	s.Achieved = finite(s.Achieved)

	return nil
}

// mostWork is what a share with these nBits can be worth.
type mostWork struct {
	bits uint32
	work int64 // the network's, or the greatest number if that is less
}

func newMostWork(bits uint32) (*mostWork, error) {
	network, err := networkWork(bits)
	if err != nil {
		return nil, err
	}
	if !network.IsInt64() {
		return &mostWork{bits, math.MaxInt64}, nil
	}

	return &mostWork{bits, network.Int64()}, nil
}

// finite returns f, or the nearest number that every format can hold.
func finite(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}

	return max(-math.MaxFloat64, min(f, math.MaxFloat64))
}

// networkWork returns the expected number of hashes for a block whose header
// holds these nBits: floor(2^256 / (target+1)), as GetBlockProof in Bitcoin Core.
//
//	nBits  ┌ size, 8 bits ┬ sign ┬ mantissa, 23 bits ┐  target = mantissa * 256^(size-3)
func networkWork(bits uint32) (*big.Int, error) {
	target := big.NewInt(int64(bits & 0x7fffff))
	if shift := 8 * (int(bits>>24) - 3); shift >= 0 {
		target.Lsh(target, uint(shift))
	} else {
		target.Rsh(target, uint(-shift))
	}
	if bits&0x800000 != 0 || target.Sign() == 0 || target.BitLen() > 256 {
		return nil, fmt.Errorf("nBits %08x is not a target", bits)
	}

	work := new(big.Int).Lsh(big.NewInt(1), 256)

	return work.Quo(work, target.Add(target, big.NewInt(1))), nil
}
