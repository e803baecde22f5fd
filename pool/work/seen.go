package work

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Seen remembers accepted shares by the hash of their header, which covers all
// that a miner can vary however it was spelled on the wire. It is safe for
// concurrent use.
type Seen struct {
	mu     sync.Mutex
	byPrev map[chainhash.Hash]map[Mark]struct{}
}

// Mark is what is remembered of a share: the first half of its hash, which holds
// none of the zeros of a high difficulty. 128 bits are beyond coincidence, and
// beyond anybody who would spoil another miner's share; the other half would only
// be more memory to reach into. As text it is hex.
type Mark [chainhash.HashSize / 2]byte

func markOf(hash chainhash.Hash) Mark { return Mark(hash[:len(Mark{})]) }

// MarshalText implements [encoding.TextMarshaler].
func (m Mark) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, m[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *Mark) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(m) {
		return fmt.Errorf("mark %q is not %d hex digits", text, 2*len(m))
	}
	*m = Mark(raw)
	return nil
}

// NewSeen returns an empty set.
func NewSeen() *Seen {
	return &Seen{byPrev: make(map[chainhash.Hash]map[Mark]struct{})}
}

// Forget drops the shares that build on prev. Call it when no job on prev is
// remembered any more: a share that cannot be judged cannot be repeated.
func (s *Seen) Forget(prev chainhash.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byPrev, prev)
}

// On returns the shares that build on prev, in no order.
func (s *Seen) On(prev chainhash.Hash) []Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.byPrev[prev]))
}

// Learn adds shares that were accepted before a restart.
func (s *Seen) Learn(prev chainhash.Hash, shares []Mark) {
	for _, share := range shares {
		s.add(prev, share)
	}
}

// Remove takes back a share that was judged but could not be recorded: when the
// miner sends it again, it is not a duplicate.
func (s *Seen) Remove(prev, hash chainhash.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byPrev[prev], markOf(hash))
}

// add reports whether the share was not there before.
func (s *Seen) add(prev chainhash.Hash, share Mark) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	shares := s.byPrev[prev]
	if shares == nil {
		shares = make(map[Mark]struct{})
		s.byPrev[prev] = shares
	}
	before := len(shares)
	shares[share] = struct{}{} // looking first would cost as much again
	return len(shares) > before
}
