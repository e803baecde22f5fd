package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/receipt"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// job is one row of the table of scheduled jobs. The message it returns says in
// a few words what came out, empty when there was nothing to do.
type job struct {
	name  string
	text  string // what it does, for the jobs page
	every time.Duration
	node  bool // it asks the node, so it waits while that is not ready
	run   func(ctx context.Context) (message string, err error)
}

// backupTakes is how long a backup may take: to be made, and to be brought to a folder, a
// disk and a server.
const backupTakes = makeTakes + 3*placeTakes

// deadline is how long a job may take.
func (j job) deadline() time.Duration {
	if j.name == "backup" {
		return backupTakes
	}
	return jobTimeout
}

// jobs is the whole schedule of the box.
func (a *Appliance) jobs() []job {
	table := []job{
		{"block-check", "Compares the pool's blocks with the node's chain and books what became mature or orphaned", 2 * time.Minute, true, a.checkBlocks},
		{"reward-booking", "Freezes the splits of found blocks that a crash left open", 2 * time.Minute, false, a.bookRewards},
		{"payout-draft", "Drafts a payout of all that is due, unless one waits for its approval", a.payoutEvery(), true, a.draftPayout},
		{"sweep-draft", "Prepares to move the pool's own money to the cold address when the wallet holds more than its limit, if you asked for that", time.Hour, true, a.draftSweep},
		{"payout-track", "Funds, sends and follows payouts up to their confirmation; approves what the rule allows", 30 * time.Second, true, a.trackPayouts},
		{"ledger-check", "Adds up the whole ledger and compares it with its own balances; freezes payouts if it does not agree", time.Hour, false, a.checkLedger},
		{"wallet-backup", "Copies the wallet, opens the copy to see that it is whole, and keeps one for each of seven days", 24 * time.Hour, true, a.backUpWallet},
		{"backup", "Once a day makes a backup of the whole box, restores it to a scratch place to see that this can be done, and lets old ones go", 10 * time.Minute, true, a.backUp},
		{"wallet-reminder", "Asks for a test of the way back to the wallet, until there was one", 7 * 24 * time.Hour, false, a.remindOfWords},
		{"disk-guard", "Looks at the free space; when there is little, forgets single shares, which only the list of the newest shares needs", time.Minute, false, a.guardDisk},
		{"audit-check", "Sees that no entry of the audit log was changed or taken out, and sums up what failed again and again", 6 * time.Hour, false, a.checkAudit},
		{"upkeep", "Removes what is older than it has to be kept, checks the databases", 6 * time.Hour, false, a.upkeep},
	}
	if a.privateChain() {
		table = append(table, job{"node-flush", "Has the node write its chain to disk: nobody else has a private chain", time.Minute, true, a.flushNode})
	}
	return table
}

// payoutEvery is how often the drafting job runs; where payouts are drafted by
// hand only, it looks once a day and says so.
func (a *Appliance) payoutEvery() time.Duration {
	if every := a.Settings().PayoutEvery; every > 0 {
		return time.Duration(every) * time.Second
	}
	return 24 * time.Hour
}

func (a *Appliance) checkBlocks(ctx context.Context) (string, error) {
	return "", a.pool.Load().CheckBlocks(ctx)
}

func (a *Appliance) bookRewards(ctx context.Context) (string, error) {
	return "", a.pool.Load().BookRewards(ctx)
}

// draftPayout drafts by rule. The key names the period, so that a restart
// within it does not draft a second one. As long as a payout waits for somebody
// to look at it, another one would only be more to look at.
func (a *Appliance) draftPayout(ctx context.Context) (string, error) {
	every := a.Settings().PayoutEvery
	if every == 0 {
		return "payouts are drafted by hand", nil
	}
	if !a.wallet.ready() {
		return walletNotReady, nil
	}
	waiting, err := a.payouts.List(ctx, payout.Draft, payout.Pending)
	if err != nil {
		return "", err
	}
	if len(waiting) > 0 {
		return fmt.Sprintf("payout %d waits for its approval", waiting[0].ID), nil
	}
	p, err := a.payouts.Draft(ctx, payout.DraftRequest{
		Actor:   "schedule",
		IdemKey: fmt.Sprintf("schedule:%d:%d", every, time.Now().Unix()/every),
	})
	if errors.Is(err, payout.ErrNothingDue) {
		return "nothing is due", nil
	}
	if err != nil {
		return "", err
	}
	if err := a.advancePayouts(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("payout %d over %d sat", p.ID, p.Total), nil
}

// draftSweep drafts a sweep when the wallet holds more than its limit, at most once
// a day: what a person has cancelled does not come back at once.
func (a *Appliance) draftSweep(ctx context.Context) (string, error) {
	limit, _, err := a.coldInForce(ctx)
	if err != nil {
		return "", err
	}
	if !limit.Draft {
		return "sweeps are drafted by hand", nil
	}
	if !a.wallet.ready() {
		return walletNotReady, nil
	}
	if limit.Own, err = a.payouts.Sweepable(ctx); err != nil || limit.Own.Over == 0 {
		return "nothing of the pool's own is beyond the limit", err
	}
	p, err := a.payouts.Sweep(ctx, payout.SweepRequest{DraftRequest: payout.DraftRequest{
		Actor:   "schedule",
		IdemKey: "sweep:" + time.Now().UTC().Format(time.DateOnly),
	}})
	if err != nil {
		return "", err
	}
	if p.State != payout.Draft {
		return fmt.Sprintf("today's was payout %d", p.ID), nil
	}
	if err := a.advancePayouts(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("payout %d over %d sat to the cold address", p.ID, p.Total), nil
}

// walletNotReady is what the payout jobs say while they wait for the wallet; why
// it is not ready stands on the pages.
const walletNotReady = "the wallet is not ready"

func (a *Appliance) trackPayouts(ctx context.Context) (string, error) {
	if !a.wallet.ready() {
		return walletNotReady, nil
	}
	return "", a.advancePayouts(ctx)
}

func (a *Appliance) checkLedger(ctx context.Context) (string, error) {
	if err := a.payouts.CheckBooks(ctx); err != nil {
		return "", err
	}
	return "all sums agree", nil
}

func (a *Appliance) upkeep(ctx context.Context) (string, error) {
	now := time.Now()
	if err := a.shares.Prune(ctx, now); err != nil {
		return "", fmt.Errorf("prune shares: %w", err)
	}
	err := a.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM job_run WHERE started_at < ?`, now.Add(-jobHistory).UnixMilli()); err != nil {
			return fmt.Errorf("prune job history: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM device_hour WHERE hour < ?`, now.Add(-deviceHistory).Unix()); err != nil {
			return fmt.Errorf("prune energy: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for name, db := range map[string]*sqlite.DB{"ledger.db": a.db, "shares.db": a.shares.DB()} {
		if err := db.Check(ctx); err != nil {
			return "", fmt.Errorf("check %s: %w", name, err)
		}
		if err := db.Checkpoint(ctx); err != nil {
			return "", fmt.Errorf("checkpoint %s: %w", name, err)
		}
	}
	if _, err := a.ledger.DropRaw(ctx, a.maturity(), receipt.Prove); err != nil {
		return "", err
	}
	return "databases are sound", nil
}

// flushNode makes bitcoind write its chain state: it does so by itself only
// about once an hour, and a kill would lose all since (appliance.md 1.6).
func (a *Appliance) flushNode(ctx context.Context) (string, error) {
	if err := a.node.Call(ctx, "gettxoutsetinfo", nil, "none"); err != nil {
		return "", err
	}
	return "", nil
}

// JobInfo is a row of the schedule for the jobs page.
type JobInfo struct {
	Name  string
	Text  string
	Every time.Duration
	Next  time.Time // zero when it is not scheduled
	Last  JobRun    // zero before the first run
}

// JobRun is one run of a job.
type JobRun struct {
	Job      string
	Started  time.Time
	Finished time.Time
	OK       bool
	Message  string
}

// Jobs returns the schedule with the last run of each job.
func (a *Appliance) Jobs(ctx context.Context) ([]JobInfo, error) {
	s := a.schedule.Load()
	var infos []JobInfo
	for _, row := range a.jobs() {
		info := JobInfo{Name: row.name, Text: row.text, Every: row.every}
		if s != nil {
			if next, err := s.jobs[row.name].NextRun(); err == nil {
				info.Next = next
			}
		}
		runs, err := a.JobRuns(ctx, row.name, 1)
		if err != nil {
			return nil, err
		}
		if len(runs) > 0 {
			info.Last = runs[0]
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// JobRuns returns the newest runs of one job, or of all when name is empty.
func (a *Appliance) JobRuns(ctx context.Context, name string, limit int) ([]JobRun, error) {
	return jobRuns(ctx, a.db.Reader(), name, limit)
}

func jobRuns(ctx context.Context, db *sql.DB, name string, limit int) ([]JobRun, error) {
	rows, err := db.QueryContext(ctx, `
		SELECT job, started_at, finished_at, ok, message FROM job_run
		WHERE (?1 = '' OR job = ?1) AND finished_at IS NOT NULL ORDER BY id DESC LIMIT ?2`, name, limit)
	if err != nil {
		return nil, fmt.Errorf("read job history: %w", err)
	}
	defer rows.Close()
	var runs []JobRun
	for rows.Next() {
		var r JobRun
		var started, finished int64
		if err := rows.Scan(&r.Job, &started, &finished, &r.OK, &r.Message); err != nil {
			return nil, fmt.Errorf("read job history: %w", err)
		}
		r.Started, r.Finished = time.UnixMilli(started), time.UnixMilli(finished)
		runs = append(runs, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read job history: %w", err)
	}
	return runs, nil
}

// ErrNoJob says that there is no job of that name, or that none runs yet.
var ErrNoJob = errors.New("there is no such job at the moment")

// RunJob runs a job now, beside its schedule and never twice at once.
func (a *Appliance) RunJob(ctx context.Context, name, actor, ip string) error {
	s := a.schedule.Load()
	if s == nil || s.jobs[name] == nil {
		return ErrNoJob
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "job.run", Object: name, Result: "ok", IP: ip}); err != nil {
		return err
	}
	if err := s.jobs[name].RunNow(); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	return nil
}
