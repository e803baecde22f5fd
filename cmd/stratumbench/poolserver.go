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

// poolServer is the Stratum server with a share log, without node and money.
type poolServer struct {
	stratum  *stratum.Server
	shares   *shares.Log
	listener net.Listener
	count    atomic.Int64
	full     []byte // template with many transactions, as the node sends it
	stop     func() error
}

func servePool(ctx context.Context, dir string) (served, error) {
	log := slog.New(slog.DiscardHandler)
	shareLog, err := shares.Open(ctx, filepath.Join(dir, "shares.db"), shares.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	full, err := fullTemplate()
	if err != nil {
		return nil, err
	}
	s := &poolServer{shares: shareLog, listener: ln, full: full}
	s.stratum = newStratum(s)
	if _, _, err := s.tip(false); err != nil {
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

func (s *poolServer) address() string { return s.listener.Addr().String() }
func (s *poolServer) accepted() int64 { return s.count.Load() }
func (s *poolServer) close() error    { return s.stop() }

// tip publishes a job on a new block. With full it goes all the way from the
// node's answer to the job that the independent decoder has checked.
func (s *poolServer) tip(full bool) (began, parsed int64, err error) {
	raw := s.full
	if full {
		raw = onNewTip(raw)
	}
	began = now()
	t := smallTemplate()
	if full {
		if t, err = work.ParseTemplate(raw); err != nil {
			return 0, 0, err
		}
	}
	layout := work.Layout{Tag: "/bench/", Outputs: []work.Output{{Script: payoutScript(), Value: t.CoinbaseValue}}}
	job, err := work.NewJob(t, layout, s.stratum.NextJobID(), t.CurTime)
	if err != nil {
		return 0, 0, err
	}
	if full {
		if err := work.Witness(job, t, layout); err != nil {
			return 0, 0, err
		}
	}
	job.Target = work.Target{} // so that no share is a block
	parsed = now() - began
	s.stratum.Publish(job, true)
	return began, parsed, nil
}

// Authorize implements [stratum.Backend]: everybody is welcome.
func (s *poolServer) Authorize(_ context.Context, username string) (stratum.Worker, error) {
	return stratum.Worker{Address: username, Script: payoutScript(), Name: "rig"}, nil
}

// Found implements [stratum.Backend]. It does not happen.
func (s *poolServer) Found(stratum.Share) {}

// Accepted implements [stratum.Backend] as the pool does.
func (s *poolServer) Accepted(ctx context.Context, share stratum.Share) (stratum.Commit, error) {
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
func (s *poolServer) Rejected(w stratum.Worker, reason string) {
	s.shares.Reject(w.Address, w.Name, reason, time.Now())
}

// newStratum returns the server with its limits out of the way: one address
// opens all connections at once and sends without pause.
func newStratum(b stratum.Backend) *stratum.Server {
	return stratum.NewServer(stratum.Config{MaxSessions: 1 << 20, MaxPerAddress: 1 << 20, SubmitRate: 1e9}, b)
}
