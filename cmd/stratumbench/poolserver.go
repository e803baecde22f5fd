package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// account is the address for which all miners of the whole pool work, and which
// its blocks pay. The key is that of the examples of BIP173.
const account = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

// poolServer is a whole pool, as the daemon runs it.
type poolServer struct {
	source   *node.Source
	listener net.Listener
	stop     func() error
}

func servePool(ctx context.Context, o serveOptions) (served, error) {
	const network = "regtest"
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	_, script, err := pool.ParseAddress(account, network)
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, filepath.Join(o.dir, "ledger.db"), ledger.Schema)
	if err != nil {
		return nil, err
	}
	shareLog, err := shares.Open(ctx, filepath.Join(o.dir, "shares.db"), shares.Options{Logger: log})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, shareLog.Close(), db.Close())
	}
	settings := pool.DefaultSettings(network)
	settings.MaxSessions, settings.MaxPerAddress = 100_000, 100_000 // one address opens all connections
	client := node.New(node.Config{URL: o.nodeURL, CookieFile: o.nodeCookie})
	s := &poolServer{source: node.NewSource(client, o.nodeZMQ, log), listener: ln}
	p, err := pool.New(pool.Config{
		Network: network, Maturity: 100, Script: script, Node: client, Source: s.source,
		Shares: shareLog, Ledger: ledger.New(db), Dir: o.dir, Settings: settings,
		Listeners: []net.Listener{ln}, Events: &pool.Events{}, Logger: log,
	})
	if err != nil {
		return nil, errors.Join(err, ln.Close(), shareLog.Close(), db.Close())
	}

	running, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(running) }()
	s.stop = func() error {
		end()
		err := <-ended
		client.CloseIdle()
		return errors.Join(err, shareLog.Close(), db.Close())
	}
	return s, nil
}

func (s *poolServer) address() string { return s.listener.Addr().String() }
func (s *poolServer) close() error    { return s.stop() }

func (s *poolServer) obey(c command) (reply, error) {
	if c.Do != "signal" {
		return reply{}, errUnknown
	}
	state := s.source.State()
	seen := now() - int64(time.Since(state.TipSeenAt))
	return reply{Signal: state.TipReason, Seen: seen, Template: state.TemplateAt.Sub(state.TipSeenAt)}, nil
}
