package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// crashVariable tells a copy of the test program to write to this ledger until it is killed.
const crashVariable = "LEDGER_TEST_CRASH"

func TestMain(m *testing.M) {
	path := os.Getenv(crashVariable)
	if path == "" {
		os.Exit(m.Run())
	}
	if err := writeUntilKilled(context.Background(), path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// writeUntilKilled finds blocks, lets some be orphaned and pays for others. It
// prints a letter after each transaction that the ledger has acknowledged.
func writeUntilKilled(ctx context.Context, path string) error {
	db, err := sqlite.Open(ctx, path, ledger.Schema)
	if err != nil {
		return err
	}
	l := ledger.New(db)

	blocks, err := l.Blocks(ctx, 1, 0)
	if err != nil {
		return err
	}
	first := 1
	if len(blocks) > 0 {
		first = int(blocks[0].Height) // the last one may be half done: do it again
	}
	off := ledger.Observation{Known: true, Confirmations: -1, Maturity: 101}
	see := func(o ledger.Observation) func(ledger.Found) error {
		return func(f ledger.Found) error {
			b, err := l.Block(ctx, f.Hash)
			if err != nil || b.State == ledger.StateMature {
				return err
			}
			_, err = l.Observe(ctx, f.Hash, o)

			return err
		}
	}
	pay := func(kind string, postings []ledger.Posting) func(ledger.Found) error {
		return func(f ledger.Found) error {
			err := l.Update(ctx, func(tx *ledger.Tx) error {
				return tx.Post(ctx, event(fmt.Sprintf("pay:%d:%s", f.Height, kind), kind), postings)
			})
			if errors.Is(err, ledger.ErrPosted) {
				return nil
			}

			return err
		}
	}
	steps := []func(ledger.Found) error{
		func(f ledger.Found) error { return l.RecordFound(ctx, f) },
		func(f ledger.Found) error { return l.RecordSubmit(ctx, f.Hash, "") },
		func(f ledger.Found) error {
			return l.Freeze(ctx, f.Hash, ledger.Window{WinnerSeq: int64(f.Height), Weights: weights()})
		},
		see(confirmed(1)), see(off), see(confirmed(1)), see(confirmed(101)),
		pay(ledger.KindReserve, reserve(102, 100_000_000)),
		pay(ledger.KindSettle, settle(102, 100_000_000, 141)),
	}
	for n := first; n < first+10_000; n++ {
		for _, step := range steps {
			if err := step(found(n)); err != nil {
				return err
			}
			if _, err := fmt.Print("."); err != nil {
				return err
			}
		}
	}

	return nil
}

// A process that is killed at any moment leaves a ledger that is in order, that
// has everything it acknowledged, and that can be carried on with.
func TestFault44Kill(t *testing.T) {
	path := filepath.Join(directory(t), "ledger.db")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	acknowledged := 0
	for round := range 6 {
		child := exec.CommandContext(t.Context(), program)
		child.Env = append(os.Environ(), crashVariable+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}

		// Kill it somewhere within a transaction after the 11th, 18th, 25th, … of the round.
		reader := bufio.NewReader(out)
		for range 11 + 7*round {
			if _, err := reader.ReadByte(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(round) * 300 * time.Microsecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // says that it was killed

		done := inspect(t, path)
		if atLeast := acknowledged + (11+7*round)/9 - 1; done < atLeast {
			t.Fatalf("round %d: %d blocks are settled, at least %d were acknowledged", round, done, atLeast)
		}
		acknowledged = done
	}
}

// inspect opens the ledger of a killed process, checks it and counts the settled blocks.
func inspect(t *testing.T, path string) (settled int) {
	t.Helper()

	db, err := sqlite.Open(t.Context(), path, ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := ledger.New(db)
	if err := errors.Join(db.Check(t.Context()), l.Check(t.Context())); err != nil {
		t.Fatal(err)
	}

	bob, _, err := l.BalanceOf(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := l.Sums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if sums.TxFee != 141*(bob.Paid/100_000_000) {
		t.Fatalf("chain fees of %d sat do not belong to %d sat paid", sums.TxFee, bob.Paid)
	}

	return int(bob.Paid / 100_000_000)
}
