package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// shareServer is the Stratum server with a share log, without node and money:
// every nonce is a share, and none a block.
type shareServer struct {
	stratum  *stratum.Server
	shares   *shares.Log
	listener net.Listener
	count    atomic.Int64
	stop     func() error
}

func serveShares(ctx context.Context, o serveOptions) (served, error) {
	log := slog.New(slog.DiscardHandler)
	shareLog, err := shares.Open(ctx, filepath.Join(o.dir, "shares.db"), shares.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &shareServer{shares: shareLog, listener: ln}
	s.stratum = newStratum(s)
	if err := s.offer(); err != nil {
		return nil, err
	}

	serving, endServing := context.WithCancel(ctx)
	writing, endWriting := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	var serveErr, writeErr error
	group.Go(func() { serveErr = s.stratum.Serve(serving, ln); endWriting() })
	group.Go(func() { writeErr = shareLog.Run(writing) })
	s.stop = func() error {
		endServing()
		group.Wait()
		return errors.Join(serveErr, writeErr, shareLog.Close())
	}
	return s, nil
}

func (s *shareServer) address() string { return s.listener.Addr().String() }
func (s *shareServer) close() error    { return s.stop() }

func (s *shareServer) obey(c command) (reply, error) {
	if c.Do == "accepted" {
		return reply{Accepted: s.count.Load()}, nil
	}
	return reply{}, errUnknown
}

// offer publishes the job that everybody works on.
func (s *shareServer) offer() error {
	t, err := branchyTemplate()
	if err != nil {
		return err
	}
	layout := work.Layout{Tag: "/bench/", Outputs: []work.Output{{Script: payoutScript(), Value: t.CoinbaseValue}}}
	job, err := work.NewJob(t, layout, s.stratum.NextJobID(), t.CurTime)
	if err != nil {
		return err
	}
	job.Target = work.Target{} // so that no share is a block
	s.stratum.Publish(job, true)
	return nil
}

// Authorize implements [stratum.Backend]: everybody is welcome.
func (s *shareServer) Authorize(_ context.Context, username string) (stratum.Worker, error) {
	return stratum.Worker{Address: username, Script: payoutScript(), Name: "rig"}, nil
}

// Found implements [stratum.Backend]. It does not happen.
func (s *shareServer) Found(stratum.Share) {}

// Accepted implements [stratum.Backend] as the pool does.
func (s *shareServer) Accepted(ctx context.Context, share stratum.Share) (stratum.Commit, error) {
	commit, err := s.shares.Append(ctx, shares.Share{
		Address: share.Worker.Address, Script: share.Worker.Script, Worker: share.Worker.Name, At: share.At,
		Work: share.Work, Difficulty: share.Difficulty, Achieved: work.HashDifficulty(share.Proof.Hash),
		Bits: share.Job.Bits, Late: share.Late, UserAgent: share.UserAgent,
	})
	if err != nil {
		return nil, fmt.Errorf("queue share: %w", err)
	}
	s.count.Add(1)
	return commit, nil
}

// Rejected implements [stratum.Backend].
func (s *shareServer) Rejected(w stratum.Worker, reason string) {
	s.shares.Reject(w.Address, w.Name, reason, time.Now())
}

// newStratum returns the server with its limits out of the way: one address
// opens all connections at once and sends without pause.
func newStratum(b stratum.Backend) *stratum.Server {
	return stratum.NewServer(stratum.Config{MaxSessions: 1 << 20, MaxPerAddress: 1 << 20, SubmitRate: 1e9}, b)
}
