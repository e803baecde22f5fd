package payout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// killVariable tells a copy of the test program to work on a ledger and a node and
// to kill itself at a call to the node.
const killVariable = "PAYOUT_TEST_KILL"

// killPoint is what that copy has to know.
type killPoint struct {
	Path  string // of ledger.db
	Node  node.Config
	Call  string // the method at which it dies
	After bool   // when the node has answered, else before it is asked
	Draft bool   // draft a payout first
	Sweep bool   // one to the cold address
	Cold  string // that address
}

func TestMain(m *testing.M) {
	text := os.Getenv(killVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, "survived:", workUntilKilled(context.Background(), text))
	os.Exit(1)
}

// workUntilKilled is a start of the program that does not live long.
func workUntilKilled(ctx context.Context, text string) error {
	var k killPoint
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, k.Path, ledger.Schema)
	if err != nil {
		return err
	}
	policy := func() Policy {
		return Policy{ConfirmationsToSettle: 3, FeeRate: "2.5", Cold: k.Cold, ColdScript: script(coldNumber)}
	}
	desk := New(db, ledger.New(db), mortalWallet{node.New(k.Node), k}, policy, fixedPass{}, nil, nil, slog.New(slog.DiscardHandler))
	if k.Draft {
		request := DraftRequest{Actor: "ann", IdemKey: "before the crash"}
		if k.Sweep {
			_, err = desk.Sweep(ctx, SweepRequest{DraftRequest: request, All: true})
		} else {
			_, err = desk.Draft(ctx, request)
		}
		if err != nil {
			return err
		}
	}

	return desk.Advance(ctx)
}

// mortalWallet is the real wallet, and kill -9 of this process at one call.
type mortalWallet struct {
	*node.Client
	point killPoint
}

func (w mortalWallet) at(call string, after bool) {
	if w.point.Call == call && w.point.After == after {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (w mortalWallet) FundPSBT(ctx context.Context, outputs []node.PayTo, o node.FundOptions) (node.Funded, error) {
	w.at("fund", false)
	funded, err := w.Client.FundPSBT(ctx, outputs, o)
	w.at("fund", true)

	return funded, err
}

// LockUnspent dies when a plan was stored and its coins are to be locked.
func (w mortalWallet) LockUnspent(ctx context.Context, unlock bool, coins []wire.OutPoint, persistent bool) error {
	if !unlock {
		w.at("lock", false)
	}

	return w.Client.LockUnspent(ctx, unlock, coins, persistent)
}

func (w mortalWallet) Unlock(ctx context.Context, pass string, d time.Duration) error {
	w.at("unlock", false)

	return w.Client.Unlock(ctx, pass, d)
}

// LockedUnspent dies at the end of a pass, when all that was done is stored.
func (w mortalWallet) LockedUnspent(ctx context.Context) ([]wire.OutPoint, error) {
	w.at("end", false)

	return w.Client.LockedUnspent(ctx)
}

func (w mortalWallet) FinalizePSBT(ctx context.Context, psbt string) (raw []byte, complete bool, err error) {
	raw, complete, err = w.Client.FinalizePSBT(ctx, psbt)
	w.at("sign", true)

	return raw, complete, err
}

func (w mortalWallet) SendRaw(ctx context.Context, raw []byte, maxFeeRate string) (txid chainhash.Hash, err error) {
	w.at("send", false)
	txid, err = w.Client.SendRaw(ctx, raw, maxFeeRate)
	w.at("send", true)

	return txid, err
}

// dieAt lets another process work on this box until it is killed at a call, and
// then starts this one anew from what is on the disk.
func (r realBox) dieAt(k killPoint) {
	r.t.Helper()
	if err := r.db.Close(); err != nil {
		r.t.Fatal(err)
	}
	k.Path, k.Node, k.Sweep, k.Cold = r.path, r.node.config, r.sweeps, r.policy.Cold
	text, err := json.Marshal(k)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), killVariable+"="+string(text))
	output, err := command.CombinedOutput()
	exit, _ := errors.AsType[*exec.ExitError](err)
	if exit == nil || !exit.Sys().(syscall.WaitStatus).Signaled() || ctx.Err() != nil {
		r.t.Fatalf("the other process was not killed at %s: %v\n%s", k.Call, err, output)
	}

	if r.db, err = sqlite.Open(r.t.Context(), r.path, ledger.Schema); err != nil {
		r.t.Fatal(err)
	}
	r.ledger = ledger.New(r.db)
	r.sitDown()
}

// paidOnce takes the only payout to its end and makes sure that it was one.
func (r realBox) paidOnce(id int64) {
	r.t.Helper()
	r.advance()
	r.want(id, Broadcast, "")
	r.mine(3)
	r.advance()
	r.want(id, Settled, "")
	r.checkAgree()
	if all, err := r.desk.List(r.t.Context()); err != nil || len(all) != 1 {
		r.t.Errorf("payouts %+v, %v, want one", all, err)
	}
}

// TestKillAtEveryStep kills the process that makes one payout again and again:
// after each of the five commits of the protocol, between signing and storing,
// between sending and storing, and the same once more when its fee is raised. One
// transaction pays.
func TestKillAtEveryStep(t *testing.T) { killAtEveryStep(t, newRealBox(t)) }

// TestKillSweepAtEveryStep does the same to one that goes to the cold address.
func TestKillSweepAtEveryStep(t *testing.T) {
	r := newRealBox(t)
	r.coldly()
	killAtEveryStep(t, r)
	r.checkSwept(r.get(1))
}

func killAtEveryStep(t *testing.T, r realBox) {
	t.Helper()
	var id int64
	steps := func(state State, points ...killPoint) {
		for _, k := range points {
			r.dieAt(k)
			all, err := r.desk.List(t.Context())
			if err != nil || len(all) != 1 || all[0].State != state {
				t.Fatalf("killed at %s, after %v: payouts %+v, %v, want one that is %s", k.Call, k.After, all, err, state)
			}
			id = all[0].ID
		}
	}

	steps(Draft, killPoint{Call: "fund", Draft: true}, killPoint{Call: "fund", After: true})
	steps(Pending, killPoint{Call: "lock"})
	planned := r.want(id, Pending, "")
	r.approve(planned)
	steps(Approved, killPoint{Call: "unlock"}, killPoint{Call: "sign", After: true})
	steps(Signed, killPoint{Call: "send"}, killPoint{Call: "send", After: true})
	steps(Broadcast, killPoint{Call: "end"})
	if sent := r.want(id, Broadcast, ""); *sent.TxID != *planned.TxID {
		t.Errorf("%v was planned, and %v sent", planned.TxID, sent.TxID)
	}

	r.must(r.desk.Bump(t.Context(), changeOf(r.get(id), "9")))
	steps(Broadcast, killPoint{Call: "unlock"}, killPoint{Call: "sign", After: true})
	r.wantFates(id, "pay broadcast, bump funded")
	steps(Broadcast, killPoint{Call: "send"}, killPoint{Call: "send", After: true})
	r.wantFates(id, "pay broadcast, bump signed")
	steps(Broadcast, killPoint{Call: "end"})
	r.wantFates(id, "pay replaced, bump broadcast")
	r.paidOnce(id)
	r.wantFates(id, "pay dead, bump confirmed")
}

// TestFault04CrashAfterReserve: the money is reserved, and the process dies before
// the wallet is asked, or when it has built a transaction that nobody has stored.
// The draft goes on, and what the wallet keeps locked for nobody is free again.
func TestFault04CrashAfterReserve(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(map[bool]string{false: "before", true: "after"}[after], func(t *testing.T) {
			r := newRealBox(t)
			r.dieAt(killPoint{Call: "fund", After: after, Draft: true})
			all, err := r.desk.List(t.Context())
			if err != nil || len(all) != 1 || all[0].State != Draft {
				t.Fatalf("payouts %+v, %v, want one draft", all, err)
			}
			again, err := r.desk.Draft(t.Context(), DraftRequest{Actor: "ann", IdemKey: "before the crash"})
			if err != nil || again.ID != all[0].ID {
				t.Errorf("the same request again: %+v, %v", again, err)
			}
			r.advance()
			p := r.want(all[0].ID, Pending, "")
			locked, err := r.node.LockedUnspent(t.Context())
			if err != nil || len(locked) != len(p.Inputs) {
				t.Errorf("%d coins are locked, the payout has %d: %v", len(locked), len(p.Inputs), err)
			}
			r.approve(p)
			r.paidOnce(p.ID)
		})
	}
}

// TestFault06CrashAfterSign: the wallet has signed, and nobody has stored what.
// It signs the same again.
func TestFault06CrashAfterSign(t *testing.T) {
	r := newRealBox(t)
	p := r.draft()
	r.advance()
	p = r.want(p.ID, Pending, "")
	r.approve(p)
	r.dieAt(killPoint{Call: "sign", After: true})
	r.want(p.ID, Approved, "")
	r.advance()
	if again := r.want(p.ID, Broadcast, ""); *again.TxID != *p.TxID {
		t.Errorf("signed again as %v, before as %v", again.TxID, p.TxID)
	}
	r.paidOnce(p.ID)
}

// TestFault07CrashBeforeBroadcast and TestFault08ReplyLost: the signed bytes are on
// the disk. Whether the node has them or not, they are sent again.
func TestFault07CrashBeforeBroadcast(t *testing.T) { sendAgain(t, false) }

// TestFault08ReplyLost: see TestFault07CrashBeforeBroadcast.
func TestFault08ReplyLost(t *testing.T) { sendAgain(t, true) }

func sendAgain(t *testing.T, arrived bool) {
	t.Helper()
	r := newRealBox(t)
	p := r.draft()
	r.advance()
	p = r.want(p.ID, Pending, "")
	r.approve(p)
	r.dieAt(killPoint{Call: "send", After: arrived})
	r.want(p.ID, Signed, "")
	if in, err := r.node.InMempool(t.Context(), *p.TxID); err != nil || in != arrived {
		t.Errorf("the node has the transaction: %v, %v, want %v", in, err, arrived)
	}
	r.paidOnce(p.ID)
}
