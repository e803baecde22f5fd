package node

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"

	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// never is an interval that no test waits for.
const never = time.Hour

// startSource runs a source at a pace fit for tests, changed by adjust, until the test ends.
func startSource(t *testing.T, fake *nodetest.Node, zmq string, adjust func(*pace)) *Source {
	t.Helper()

	s := NewSource(newTestClient(t, fake), zmq, slog.New(slog.DiscardHandler))
	s.pace = pace{
		refresh: never, poll: time.Millisecond, pause: time.Millisecond, longestWait: 4 * time.Millisecond,
		settle: time.Millisecond, settleTries: 5,
	}
	adjust(&s.pace)

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})

	return s
}

// await receives updates until one is at height.
func await(t *testing.T, s *Source, height int32) Update {
	t.Helper()

	for u := range s.Updates() {
		if u.Template.Height == height {
			return u
		}
	}

	panic("unreachable")
}

// crowd lets the source believe that too many long polls wait, so that it starts none.
func crowd(fake *nodetest.Node) {
	fake.Handle("getrpcinfo", func(nodetest.Call) (any, error) {
		return json.RawMessage(`{"active_commands":[` + strings.Repeat(`{"method":"getblocktemplate"},`, maxAbandoned) +
			`{"method":"getblocktemplate"}]}`), nil
	})
}

func TestSourceFollowsTheTip(t *testing.T) {
	tests := []struct {
		watcher string
		adjust  func(*pace)
	}{
		{"poll", func(*pace) {}},
		{"long poll", func(p *pace) { p.poll = never }},
		{"zmq", func(p *pace) { p.poll = never }},
	}
	for _, test := range tests {
		t.Run(test.watcher, func(t *testing.T) {
			fake := nodetest.New(t)
			if test.watcher != "long poll" {
				crowd(fake)
			}
			zmq, publish := "", func(chainhash.Hash) {}
			if test.watcher == "zmq" {
				zmq, publish = startPublisher(t)
			}
			s := startSource(t, fake, zmq, test.adjust)
			if u := await(t, s, 1); !u.NewTip || u.SeenAt.IsZero() {
				t.Errorf("first update %+v, want a new tip", u)
			}
			// The long poll begins with a call that does not wait. Let it be over, or it may be the first to see the block.
			for fake.Calls("getrpcinfo") == 0 || test.watcher == "long poll" && fake.Waiting() == 0 {
				time.Sleep(time.Millisecond)
			}

			tip := fake.Mine(1)[0]
			publish(tip)
			u := await(t, s, 2)
			if !u.NewTip || u.Reason != test.watcher || u.Template.PrevHash != tip {
				t.Errorf("update for height 2 has NewTip %v, Reason %q, PrevHash %v, want true, %q, %v",
					u.NewTip, u.Reason, u.Template.PrevHash, test.watcher, tip)
			}
			if got := s.State(); got.Tip != tip || got.TipReason != test.watcher || !got.TipSeenAt.Equal(u.SeenAt) || got.TemplateAt.Before(u.SeenAt) {
				t.Errorf("State() = %+v, want tip %v seen by %q at %v", got, tip, test.watcher, u.SeenAt)
			}
		})
	}
}

// startPublisher publishes hashes over ZMQ as bitcoind does, to the one subscriber that it waits for.
func startPublisher(t *testing.T) (address string, publish func(chainhash.Hash)) {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peers := make(chan *zmq4.Conn, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		peer, err := zmq4.Open(conn, null.Security(), zmq4.Pub, nil, true, nil)
		if err != nil {
			t.Errorf("greet subscriber: %v", err)
			return
		}
		if topic, err := peer.RecvMsg(); err != nil || string(topic.Frames[0]) != "\x01hashblock" {
			t.Errorf("subscriber sends %q, %v", topic.Frames, err)
		}
		peers <- peer
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})

	return "tcp://" + listener.Addr().String(), func(hash chainhash.Hash) {
		peer := <-peers
		defer func() { peers <- peer }()
		slices.Reverse(hash[:])
		if err := peer.SendMsg(zmq4.NewMsgFrom([]byte(hashBlock), hash[:], []byte{0, 0, 0, 0})); err != nil {
			t.Errorf("publish: %v", err)
		}
	}
}

func TestSourceRefreshesWithoutEvents(t *testing.T) {
	fake := nodetest.New(t)
	s := startSource(t, fake, "", func(p *pace) { p.refresh = time.Millisecond })

	await(t, s, 1)
	u := await(t, s, 1)
	if u.NewTip || u.Reason != "interval" {
		t.Errorf("second update has NewTip %v, Reason %q, want false, interval", u.NewTip, u.Reason)
	}
}

func TestLateReceiverGetsTheNewest(t *testing.T) {
	fake := nodetest.New(t)
	s := startSource(t, fake, "", func(p *pace) { p.refresh = time.Millisecond })
	await(t, s, 1)

	fake.Mine(1)
	for s.State().Height < 2 {
		time.Sleep(time.Millisecond)
	}
	calls := fake.Calls("getblocktemplate")
	for fake.Calls("getblocktemplate") < calls+5 { // replaced a few times
		time.Sleep(time.Millisecond)
	}

	// An update at height 1 may have been waiting; what replaced it must still say that the tip is new.
	if u := <-s.Updates(); u.Template.Height != 2 || !u.NewTip {
		t.Errorf("received height %d, NewTip %v, want 2, true", u.Template.Height, u.NewTip)
	}
}

func TestSourceSurvivesErrors(t *testing.T) {
	tests := []struct {
		code int
		text string
		want string
	}{
		{ErrCodeWarmup, "Loading P2P addresses…", "The Bitcoin node is starting: Loading P2P addresses…"},
		{ErrCodeNotConnected, "Bitcoin Core is not connected!", "The Bitcoin node has no connection to other nodes yet."},
		{ErrCodeInitialDownload, "Bitcoin Core is in initial sync and waiting for blocks...", "The Bitcoin node is still downloading the block chain."},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			fake := nodetest.New(t)
			fake.Handle("getblocktemplate", func(nodetest.Call) (any, error) {
				return nil, &nodetest.Error{Code: test.code, Message: test.text}
			})
			s := startSource(t, fake, "", func(*pace) {})
			for s.State().Problem == "" {
				time.Sleep(time.Millisecond)
			}
			if got := s.State(); got.Problem != test.want || got.Err == nil || got.Since.IsZero() {
				t.Errorf("State() = %+v, want problem %q", got, test.want)
			}

			fake.Handle("getblocktemplate", nil)
			await(t, s, 1)
			for s.State().Problem != "" {
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestSourceSurvivesRestart(t *testing.T) {
	fake := nodetest.New(t)
	s := startSource(t, fake, "", func(*pace) {})
	await(t, s, 1)
	problem := func(want string) {
		t.Helper()
		for s.State().Problem != want {
			time.Sleep(time.Millisecond)
		}
	}

	fake.Stop()
	problem("The Bitcoin node does not answer.")
	fake.Start("Loading wallet…")
	problem("The Bitcoin node is starting: Loading wallet…")
	fake.Start("")
	problem("")

	fake.Mine(1)
	if u := await(t, s, 2); !u.NewTip {
		t.Error("update after the restart has no new tip")
	}
}

// TestTemplateBehindHint lets the node announce a block before it offers work on it.
func TestTemplateBehindHint(t *testing.T) {
	fake := nodetest.New(t)
	s := NewSource(newTestClient(t, fake), "", nil)
	s.pace.settle = time.Millisecond

	var old json.RawMessage
	if err := s.client.Call(t.Context(), "getblocktemplate", &old, templateRequest{Rules: templateRules()}); err != nil {
		t.Fatal(err)
	}
	if err := s.refresh(t.Context(), hint{}); err != nil {
		t.Fatal(err)
	}
	<-s.Updates()

	t.Run("catches up", func(t *testing.T) {
		tip := fake.Mine(1)[0]
		behind := 3
		fake.Handle("getblocktemplate", func(nodetest.Call) (any, error) {
			if behind--; behind == 0 {
				fake.Handle("getblocktemplate", nil)
			}

			return old, nil
		})
		if err := s.refresh(t.Context(), hint{tip: tip}); err != nil {
			t.Fatal(err)
		}
		if u := <-s.Updates(); u.Template.PrevHash != tip || !u.NewTip {
			t.Errorf("update builds on %v, NewTip %v, want %v, true", u.Template.PrevHash, u.NewTip, tip)
		}
	})

	t.Run("the hint was wrong", func(t *testing.T) {
		before := fake.Calls("getblocktemplate")
		if err := s.refresh(t.Context(), hint{tip: chainhash.Hash{1}}); err != nil {
			t.Fatal(err)
		}
		if u := <-s.Updates(); u.NewTip {
			t.Error("update has a new tip, want the known one again")
		}
		if got, want := fake.Calls("getblocktemplate")-before, 1+s.pace.settleTries; got != want {
			t.Errorf("asked %d times, want %d", got, want)
		}
	})
}

func TestCrowdedNodeGetsNoLongPoll(t *testing.T) {
	fake := nodetest.New(t)
	crowd(fake)
	s := startSource(t, fake, "", func(*pace) {})
	await(t, s, 1)

	asked := fake.Calls("getrpcinfo")
	for fake.Calls("getrpcinfo") < asked+3 {
		time.Sleep(time.Millisecond)
	}
	if n := fake.Waiting(); n != 0 {
		t.Errorf("%d long polls wait", n)
	}

	fake.Handle("getrpcinfo", nil)
	for fake.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
}
