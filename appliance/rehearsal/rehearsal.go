package rehearsal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/drill"
	"github.com/dmpool/dmpool/appliance/logbook"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// Config is what a drill needs.
type Config struct {
	Dir      string // empty, and thrown away by the caller
	Bitcoind string // path of the node's program
	Release  string // of this program
	// Progress is told of each change of the report. It may be nil.
	Progress func(drill.Report)
}

// network of the throw-away chain, see the package comment.
const network = "regtest"

// run is a drill that runs.
type run struct {
	config   Config
	password string // of the box's operator
	program  string // the node's name and version
	book     *logbook.Book
	box      *box // that runs now
	purse    *node.Client

	addresses [2]string    // of the two miners
	miner     *miner       // that is at work, nil for none
	lost, won ledger.Block // the one that was orphaned, and the one that was paid out
	payout    int64

	passphrase string   // of the backup
	before     []string // what the books said then
}

// step is one thing to do. do returns what was seen, in sentences.
type step struct {
	name, title string
	Next        string // what to do when it fails
	do          func(ctx context.Context) (seen string, err error)
}

// What to do about the failures of several steps.
const (
	blockAtRisk = "A block of this pool might be lost. Ask for help with the report of the drill before you mine on."
	askFirst    = "Do not approve payouts before somebody has looked at the report of the drill."
)

// steps is the whole drill.
func (r *run) steps() []step {
	return []step{
		{name: "node", title: "A node starts a chain of its own", do: r.startNode, Next: "Open the node page: does the box's own node run? If not, get Bitcoin Core there once more."},
		{name: "wallet", title: "The pool makes its wallet", do: r.openWallet, Next: "Look at the free space of the disk, and at the log of the drill."},
		{name: "job", title: "A miner gets work", do: r.giveJob, Next: "Miners may not be able to connect either. Look at the log of the drill, and ask for help with its report."},
		{name: "share", title: "A share is accepted and written down", do: r.takeShare, Next: "Look at the free space of the disk. Miners' shares may not be counted until this works."},
		{name: "block", title: "A block is found, and the node takes it", do: r.takeBlock, Next: blockAtRisk},
		{name: "orphan", title: "The block loses against a longer chain", do: r.loseBlock, Next: askFirst},
		{name: "block-again", title: "Another block is found", do: r.takeAnother, Next: blockAtRisk},
		{name: "maturity", title: "The block matures", do: r.mature, Next: askFirst},
		{name: "payout", title: "A payout is planned", do: r.planPayout, Next: askFirst},
		{name: "approval", title: "A person approves it", do: r.approve, Next: askFirst},
		{name: "broadcast", title: "It is signed and sent", do: r.broadcast, Next: askFirst},
		{name: "confirmed", title: "It is confirmed, and the miners have their coins", do: r.confirm, Next: askFirst},
		{name: "backup", title: "A backup is made", do: r.backUp, Next: "Look at the backup page: your own backups may not be good either."},
		{name: "restore", title: "The box is lost, and restored from the backup", do: r.restore, Next: "Keep more than one copy of your backups, and ask for help with the report of the drill."},
		{name: "sums", title: "The restored books say the same", do: r.compare, Next: askFirst},
	}
}

// Run does a drill, and returns its report when nothing of it runs any more. It stops at
// the end of ctx.
func Run(ctx context.Context, c Config) drill.Report {
	if c.Progress == nil {
		c.Progress = func(drill.Report) {}
	}
	const lines = 500
	r := &run{config: c, book: logbook.New(lines), password: "Drill-" + rand.Text()}
	steps := r.steps()
	list := make([]drill.Step, len(steps))
	for i, s := range steps {
		list[i] = drill.Step{Name: s.name, Title: s.title}
	}
	began := time.Now()
	report := drill.NewReport(c.Release, began, list)

	ctx, cancel := context.WithTimeoutCause(ctx, drill.Limit, fmt.Errorf("the drill has taken %d minutes, the most it may", int(drill.Limit.Minutes())))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	var guard sync.WaitGroup
	defer guard.Wait()
	defer stop(nil)
	guard.Go(func() { drill.Guard(ctx, c.Dir, stop) })

	report.Verdict = r.do(ctx, steps, &report)
	if err := r.close(); err != nil && report.Verdict == drill.Passed {
		last := len(steps) - 1
		report.Fail(last, sentence(err), steps[last].Next)
	}
	report.Seconds = seconds(time.Since(began))
	if report.Verdict == drill.Failed {
		report.Log = r.warnings()
	}
	return report
}

// close ends all that runs.
func (r *run) close() error { return errors.Join(r.miner.stop(), r.box.stop()) }

// do goes through the steps up to the first that fails.
func (r *run) do(ctx context.Context, steps []step, report *drill.Report) (verdict string) {
	for i, s := range steps {
		at := &report.Steps[i]
		at.State = drill.Running
		r.config.Progress(*report)
		begun := time.Now()
		seen, err := s.inTime(ctx)
		at.Seconds = seconds(time.Since(begun))
		report.Node = r.program
		if err != nil {
			next := s.Next
			if ctx.Err() != nil {
				next, err = stopped(ctx, err)
			}
			report.Fail(i, sentence(err), next)
			r.config.Progress(*report)
			return drill.Failed
		}
		at.State, at.Seen = drill.Passed, seen
		r.config.Progress(*report)
	}
	return drill.Passed
}

// patience is how long one step may take.
const patience = 3 * time.Minute

func (s step) inTime(ctx context.Context) (seen string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took more than %d minutes", int(patience.Minutes())))
	defer cancel()
	return s.do(ctx)
}

// stopped says what to do about a drill that was stopped, and why it did not get any
// further.
func stopped(ctx context.Context, err error) (next string, why error) {
	cause := context.Cause(ctx)
	if _, large := errors.AsType[*drill.SizeError](cause); large {
		return "Ask for help with the report of the drill.", cause
	}
	if errors.Is(cause, context.Canceled) {
		return "Begin the drill again.", errors.New("the drill was stopped before this was done")
	}
	return "Begin the drill again when this machine has less to do.", fmt.Errorf("%w; the last thing was: %w", cause, err)
}

// warnings are the newest of them in the log of the throw-away box.
func (r *run) warnings() (list []string) {
	for _, record := range r.book.Read(logbook.Filter{Level: slog.LevelWarn}, 20) {
		line := record.At.UTC().Format("15:04:05 ") + record.Level.String() + " " + record.Message
		for _, a := range record.Attrs {
			line += " " + a.Key + "=" + a.Value
		}
		list = append(list, line)
	}
	return list
}

// sentence makes an error one.
func sentence(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	runes := []rune(text)
	runes[0] = unicode.ToUpper(runes[0])
	return strings.TrimSuffix(string(runes), ".") + "."
}

// seconds of a report, to the millisecond.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// folder is a place in the drill's own folder.
func (r *run) folder(name string) string { return filepath.Join(r.config.Dir, name) }

// answers are those of the first set-up of the throw-away box.
func (r *run) answers() appliance.Answers {
	name, fee := "Fire drill", int64(100) // a hundredth, so that the books have to share something out
	return appliance.Answers{
		Network:  network,
		Operator: appliance.OperatorAnswer{User: operator, Password: r.password},
		Pool:     appliance.PoolAnswer{Name: &name, FeeBps: &fee},
	}
}

// operator is who approves the payout.
const operator = "firefighter"
