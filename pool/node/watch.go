package node

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// The three watchers of a Source. Each only suggests a refresh; none fetches what is published, so templates cannot
// overtake one another. Any of them may fail for good without the others noticing.

// maxAbandoned is how many long polls may wait in the node before we start another one. bitcoind does not notice when the
// client of a waiting call goes away: on a chain without blocks and transactions its RPC thread waits for ever, and a pool
// that is restarted a few times would use up all of them, so that nobody can submit a block any more.
const maxAbandoned = 2

// pollBest asks for the best block's hash at short intervals. It needs no luck and no configuration, so it is the
// one that is always right in the end. It also notices first when the node goes away.
func (s *Source) pollBest(ctx context.Context) {
	failing := false
	met := s.client.trust.contact.Load()
	for {
		before := s.State().Tip
		tip, err := s.client.BestBlockHash(ctx)
		if ctx.Err() != nil {
			return
		}

		switch {
		case err != nil:
			failing = true
			s.report(err)
		case failing || met != s.client.trust.contact.Load():
			// Only a template proves that all is well again, or still: a node that was restarted may be another one.
			failing, met = false, s.client.trust.contact.Load()
			s.suggest(hint{reason: "poll", seenAt: time.Now()})
		case tip != before && before == s.State().Tip:
			s.suggest(hint{tip: tip, reason: "poll", seenAt: time.Now()})
		}

		pause := s.pace.poll
		if failing {
			pause = s.pace.pause
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// longPoll keeps one getblocktemplate call waiting in the node (BIP 22). It wakes for a new tip at once; when it does so
// for a changed mempool, the interval of the refresh is soon enough.
func (s *Source) longPoll(ctx context.Context) {
	var known chainhash.Hash
	id := ""
	for {
		if id != "" && s.crowded(ctx) {
			if !sleep(ctx, s.pace.longestWait) {
				return
			}

			continue
		}

		tip, next, err := s.client.waitTemplate(ctx, id)
		if ctx.Err() != nil {
			return
		}

		switch {
		case err != nil:
			id = ""
		case tip != known:
			s.suggest(hint{tip: tip, reason: "long poll", seenAt: time.Now()})
			known, id = tip, next

			continue
		default:
			id = next
		}

		if !sleep(ctx, s.pace.pause) {
			return
		}
	}
}

// crowded reports whether too many long polls wait in the node already. A node that does not let us ask is not crowded.
func (s *Source) crowded(ctx context.Context) bool {
	n, err := s.client.waiting(ctx)
	if err != nil || n <= maxAbandoned {
		return false
	}
	s.log.Debug("Long polls of others wait in the node", "count", n)

	return true
}

// subscribe listens to the node's ZMQ publisher and connects again for as long as ctx runs.
func (s *Source) subscribe(ctx context.Context) {
	for {
		address, err := s.publisher(ctx)
		if err == nil && address == "" {
			if !sleep(ctx, s.pace.refresh) {
				return
			}

			continue
		}
		if err == nil {
			err = s.listen(ctx, address)
		}
		if ctx.Err() != nil {
			return
		}
		s.setZMQ(false)
		s.log.Debug("No block hashes over ZMQ", "err", err)

		if !sleep(ctx, s.pace.pause) {
			return
		}
	}
}

// publisher returns the address to listen at, empty when the node has none for us.
func (s *Source) publisher(ctx context.Context) (string, error) {
	if s.zmq != AskZMQ {
		return s.zmq, nil
	}

	return s.client.BlockPublisher(ctx)
}

// listen suggests a refresh for each hash that is published at address.
func (s *Source) listen(ctx context.Context, address string) error {
	return subscribeBlocks(ctx, address,
		func() { s.setZMQ(true) },
		func(tip chainhash.Hash) { s.suggest(hint{tip: tip, reason: "zmq", seenAt: time.Now()}) },
		func() { s.log.Debug("ZMQ messages were lost") },
	)
}

func (s *Source) setZMQ(connected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.state.ZMQ = connected
}
