package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
	"github.com/dmpool/dmpool/pool/work"
)

// chain is a node with a private chain and whoever mines on it.
type chain struct {
	config node.Config
	zmq    string // empty: it does not publish
	client *node.Client
	add    func(ctx context.Context, raw []byte, fee int64) error // a transaction to the mempool
	stop   func() error
	coins  []coin
}

// nodeName says which node the pool is measured on.
func nodeName() string {
	if os.Getenv("DMPOOL_BITCOIND") != "" {
		return "bitcoind"
	}
	return "nodetest"
}

func startChain(ctx context.Context, dir string) (*chain, error) {
	if nodeName() == "bitcoind" {
		return startBitcoind(ctx, dir)
	}
	s := &stage{dir: dir}
	fake := nodetest.New(s)
	c := &chain{config: node.Config{URL: fake.URL, CookieFile: fake.CookieFile}}
	c.client = node.New(c.config)
	c.add = func(_ context.Context, raw []byte, fee int64) error {
		fake.AddTx(raw, fee)
		return nil
	}
	c.stop = func() error {
		c.client.CloseIdle()
		return s.end()
	}
	return c, nil
}

// stage is the test that nodetest plays in.
type stage struct {
	dir  string
	ends []func()
	errs []error
}

func (s *stage) Helper()            {}
func (s *stage) TempDir() string    { return s.dir }
func (s *stage) Cleanup(end func()) { s.ends = append(s.ends, end) }
func (s *stage) Errorf(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf(format, args...))
}

func (s *stage) end() error {
	for _, end := range s.ends {
		end()
	}
	return errors.Join(s.errs...)
}

func startBitcoind(ctx context.Context, dir string) (*chain, error) {
	binary, err := bitcoind.Find("")
	if err != nil {
		return nil, err
	}
	ports, err := bitcoind.FreePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	conf := bitcoind.Conf{Network: bitcoind.NetworkRegtest, Dir: filepath.Join(dir, "node"), RPCPort: ports[0], ZMQPort: ports[1]}
	c := &chain{config: node.Config{URL: conf.RPCURL(), CookieFile: conf.CookieFile()}, zmq: conf.ZMQ()}
	c.client = node.New(c.config)
	c.add = func(ctx context.Context, raw []byte, _ int64) error {
		_, err := c.client.SendRaw(ctx, raw, "100")
		return err
	}

	if err := configure(conf); err != nil {
		return nil, err
	}
	running, end := context.WithCancel(ctx)
	cmd := exec.CommandContext(running, binary, "-conf="+conf.Path(), "-datadir="+conf.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		end()
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	c.stop = func() error {
		end()
		<-ended
		c.client.CloseIdle()
		return nil
	}
	if err := c.ready(ctx, ended); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// configure writes bitcoin.conf. Regtest looks through its whole mempool and block
// index at each step, which no chain in use does; that is switched off.
func configure(conf bitcoind.Conf) error {
	if err := conf.Write(); err != nil {
		return err
	}
	text, err := os.ReadFile(conf.Path())
	if err != nil {
		return err
	}
	return os.WriteFile(conf.Path(), append(text, "\ncheckmempool=0\ncheckblockindex=0\n"...), 0o600)
}

// ready waits until the node answers.
func (c *chain) ready(ctx context.Context, ended <-chan struct{}) error {
	for deadline := time.After(patience); ; {
		_, err := c.client.BlockchainInfo(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("bitcoind ended while starting")
		case <-deadline:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// contents is what a block has besides its coinbase.
type contents int

const (
	empty   contents = iota // nothing: it leaves the mempool as it is
	withTxs                 // all that the node offers
)

// mine finds a block on the tip. Submitting it is for the caller; its time begins
// when the node has answered.
func (c *chain) mine(ctx context.Context, with contents) (announcement, error) {
	raw, err := c.block(ctx, with)
	if err != nil {
		return nil, fmt.Errorf("mine: %w", err)
	}
	return func(ctx context.Context) (int64, error) {
		reason, err := c.client.SubmitBlock(ctx, raw)
		answered := now()
		if err == nil && reason != "" {
			err = fmt.Errorf("the node refuses the block: %s", reason)
		}
		return answered, err
	}, nil
}

func (c *chain) block(ctx context.Context, with contents) ([]byte, error) {
	offered, err := c.client.Template(ctx, "")
	if err != nil {
		return nil, err
	}
	t := *offered
	if with == empty {
		for _, tx := range t.Txs {
			t.CoinbaseValue -= tx.Fee
		}
		t.Txs, t.Branches, t.WitnessCommitment = nil, nil, nil
	}
	layout := work.Layout{Tag: "/bench/", Outputs: []work.Output{{Script: anyone(), Value: t.CoinbaseValue}}}
	job, err := work.NewJob(&t, layout, 1, t.CurTime)
	if err != nil {
		return nil, err
	}
	s := work.Solution{Version: job.Version, Time: job.Time}
	for !job.Prove(s).Block {
		s.Nonce++
	}
	return job.Block(s), nil
}

// mineNow mines a block, submits it and returns its coinbase.
func (c *chain) mineNow(ctx context.Context, with contents) (*wire.MsgTx, error) {
	raw, err := c.block(ctx, with)
	if err != nil {
		return nil, err
	}
	reason, err := c.client.SubmitBlock(ctx, raw)
	if err == nil && reason != "" {
		err = fmt.Errorf("the node refuses the block: %s", reason)
	}
	if err != nil {
		return nil, err
	}
	var b wire.MsgBlock
	if err := b.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	return b.Transactions[0], nil
}
