package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/node"
)

const (
	jobHistory = 7 * 24 * time.Hour
	jobTimeout = 5 * time.Minute
)

// scheduler runs the table on gocron and keeps a history of the runs.
type scheduler struct {
	a       *Appliance
	cron    gocron.Scheduler
	jobs    map[string]gocron.Job
	rows    []job
	changed chan struct{} // the settings, on which some intervals depend
}

func newScheduler(a *Appliance) (*scheduler, error) {
	cron, err := gocron.NewScheduler(gocron.WithLocation(time.UTC), gocron.WithStopTimeout(30*time.Second))
	if err != nil {
		return nil, fmt.Errorf("make scheduler: %w", err)
	}
	return &scheduler{a: a, cron: cron, jobs: map[string]gocron.Job{}, rows: a.jobs(), changed: make(chan struct{}, 1)}, nil
}

// run schedules every job, the first time at once, until ctx ends, and waits
// for those that are under way.
func (s *scheduler) run(ctx context.Context) error {
	intervals := map[string]time.Duration{}
	for _, row := range s.rows {
		j, err := s.cron.NewJob(gocron.DurationJob(row.every), s.task(row),
			append(s.options(ctx, row), gocron.WithStartAt(gocron.WithStartImmediately()))...)
		if err != nil {
			return fmt.Errorf("schedule %s: %w", row.name, err)
		}
		s.jobs[row.name], intervals[row.name] = j, row.every
	}
	s.a.schedule.Store(s)
	s.cron.Start()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.changed:
			s.retime(ctx, intervals)
		}
	}
	s.a.schedule.Store(nil)
	if err := s.cron.Shutdown(); err != nil {
		return fmt.Errorf("stop scheduler: %w", err)
	}
	return ctx.Err()
}

func (s *scheduler) task(row job) gocron.Task {
	return gocron.NewTask(func(ctx context.Context) { s.record(ctx, row) })
}

func (s *scheduler) options(ctx context.Context, row job) []gocron.JobOption {
	return []gocron.JobOption{
		gocron.WithName(row.name), gocron.WithContext(ctx), gocron.WithSingletonMode(gocron.LimitModeReschedule),
	}
}

// retime gives each job the interval that the settings ask for now. A job keeps
// its identity, so what holds on to it goes on.
func (s *scheduler) retime(ctx context.Context, intervals map[string]time.Duration) {
	for _, row := range s.a.jobs() {
		if row.every == intervals[row.name] {
			continue
		}
		_, err := s.cron.Update(s.jobs[row.name].ID(), gocron.DurationJob(row.every), s.task(row), s.options(ctx, row)...)
		if err != nil {
			s.a.log.Error("Job not rescheduled", "job", row.name, "err", err)
			continue
		}
		intervals[row.name] = row.every
	}
}

// settingsChanged wakes run; it does not wait for it.
func (s *scheduler) settingsChanged() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// record runs a job and writes down how it went.
func (s *scheduler) record(ctx context.Context, row job) {
	if row.node && !s.a.nodeIsReady() {
		return // runNodeJobs comes when it is
	}
	ctx, cancel := context.WithTimeout(ctx, row.deadline())
	defer cancel()
	started := time.Now()
	message, err := row.run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return // the box stops
	}
	if err != nil {
		message = err.Error()
		level := slog.LevelWarn
		if node.Unavailable(err) {
			level = slog.LevelDebug // the node's own state is told elsewhere, and the job comes again
		}
		s.a.log.Log(ctx, level, "Job failed", "job", row.name, "err", err)
	}
	writeErr := s.a.db.Update(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO job_run (job, started_at, finished_at, ok, message) VALUES (?, ?, ?, ?, ?)`,
			row.name, started.UnixMilli(), time.Now().UnixMilli(), err == nil, message)
		return err
	})
	if writeErr != nil && ctx.Err() == nil {
		s.a.log.Error("Job history not written", "job", row.name, "err", writeErr)
	}
	s.a.events.Publish(pool.Event{Kind: "job", At: started, State: row.name, Text: message})
}

// runNodeJobs runs what waited for the node.
func (s *scheduler) runNodeJobs() {
	for _, row := range s.rows {
		if !row.node {
			continue
		}
		if err := s.jobs[row.name].RunNow(); err != nil {
			s.a.log.Warn("Job not run", "job", row.name, "err", err)
		}
	}
}
