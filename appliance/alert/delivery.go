package alert

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// What is told of an alert.
const (
	newsRaised = "raised"
	newsOver   = "over"
	newsTest   = "test"
)

// How far a delivery is.
const (
	stateWaiting = "waiting"
	stateSent    = "sent"
	stateDropped = "dropped"
)

// Delivery is a line of the log: news of an alert for a channel.
type Delivery struct {
	ID      int64
	Channel int64 // zero: it was removed
	Name    string
	Alert   int64     // zero: a test
	Type    string    // of the alert
	Rule    string    // the operators' words for its rule
	News    string    // raised, over or test
	State   string    // waiting, sent or dropped
	At      time.Time //
	Tries   int
	Done    time.Time // of the last try; zero: none yet
	Problem string    // why it has not arrived, a sentence
	urgent  bool
}

// Deliveries returns up to limit lines of the log, the newest first: those with an id
// below before, or the newest when that is 0; with channel, only those of it.
func (b *Bell) Deliveries(ctx context.Context, channel, before int64, limit int) ([]Delivery, error) {
	return b.deliveries(ctx, `
		WHERE (?1 = 0 OR d.id < ?1) AND (?2 = 0 OR d.channel = ?2) ORDER BY d.id DESC LIMIT ?3`, before, channel, limit)
}

// waiting returns what is to be sent to a channel now, the oldest first, and whether
// quiet hours hold back more.
func (b *Bell) waiting(ctx context.Context, channel int64, quiet, urgentWaits bool) (now []Delivery, held bool, err error) {
	all, err := b.deliveries(ctx, `
		WHERE d.channel = ?1 AND d.state = 'waiting' AND (?2 = 0 OR d.urgent > ?3) ORDER BY d.id LIMIT ?4`,
		channel, quiet, urgentWaits, bundle)
	if err != nil || !quiet || len(all) > 0 {
		return all, false, err
	}
	more, err := b.deliveries(ctx, `WHERE d.channel = ?1 AND d.state = 'waiting' LIMIT 1`, channel)
	return nil, len(more) > 0, err
}

func (b *Bell) deliveries(ctx context.Context, where string, args ...any) ([]Delivery, error) {
	rows, err := b.db.Reader().QueryContext(ctx, `
		SELECT d.id, COALESCE(d.channel, 0), d.name, COALESCE(d.alert, 0), COALESCE(a.type, ''), COALESCE(a.name, ''),
		       d.news, d.urgent, d.at, d.state, d.tries, d.done_at, d.problem
		  FROM alert_delivery d LEFT JOIN alert a ON a.id = d.alert `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	list, err := sqlite.Collect(rows, func(r *sql.Rows) (Delivery, error) {
		var d Delivery
		var at int64
		var done sql.NullInt64
		err := r.Scan(&d.ID, &d.Channel, &d.Name, &d.Alert, &d.Type, &d.Rule, &d.News, &d.urgent, &at, &d.State, &d.Tries, &done, &d.Problem)
		d.At, d.Done = time.UnixMilli(at), moment(done)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return list, nil
}

// freeAt returns when a channel may have its next message: news that were sent together
// have the same time.
func (b *Bell) freeAt(ctx context.Context, c Channel, now time.Time) (time.Time, error) {
	var nth sql.NullInt64
	err := b.db.Reader().QueryRowContext(ctx, `
		SELECT done_at FROM alert_delivery
		 WHERE channel = ? AND state = 'sent' AND news <> 'test' AND done_at > ? AND done_at <= ?
		 GROUP BY done_at ORDER BY done_at DESC LIMIT 1 OFFSET ?`,
		c.ID, now.Add(-time.Hour).UnixMilli(), now.UnixMilli(), c.PerHour-1).Scan(&nth)
	if errors.Is(err, sql.ErrNoRows) {
		return now, nil
	}
	if err != nil {
		return now, fmt.Errorf("count messages: %w", err)
	}
	return time.UnixMilli(nth.Int64).Add(time.Hour), nil
}

// note writes down what came of a message.
func (b *Bell) note(ctx context.Context, c Channel, sent []Delivery, problem error) error {
	now := b.now()
	defer b.config.Changed()
	return b.db.Update(ctx, func(tx *sql.Tx) error {
		for _, d := range sent {
			state, text := stateSent, ""
			if problem != nil {
				state, text = d.after(now, problem)
			}
			_, err := tx.ExecContext(ctx, `
				UPDATE alert_delivery SET state = ?, tries = tries + 1, done_at = ?, problem = ? WHERE id = ? AND state = 'waiting'`,
				state, now.UnixMilli(), text, d.ID)
			if err != nil {
				return fmt.Errorf("note delivery: %w", err)
			}
		}
		return c.noteIn(ctx, tx, now, problem)
	})
}

// after is how a delivery stands that has not arrived.
func (d Delivery) after(now time.Time, problem error) (state, text string) {
	switch {
	case now.Sub(d.At) >= lifetime:
		return stateDropped, "It was tried for a day and is not sent any more. " + problem.Error()
	case d.Tries+1 >= refusals && refusesContent(problem):
		return stateDropped, "The receiver does not want it, so it is not sent any more. " + problem.Error()
	}
	return stateWaiting, problem.Error()
}

// noteIn writes down how a channel does.
func (c Channel) noteIn(ctx context.Context, tx *sql.Tx, now time.Time, problem error) error {
	var err error
	if problem == nil {
		_, err = tx.ExecContext(ctx, `UPDATE alert_channel SET next_at = 0, failures = 0, problem = '', sent_at = ? WHERE id = ?`, now.UnixMilli(), c.ID)
	} else {
		var said time.Duration
		if answer, ok := errors.AsType[*answerError](problem); ok {
			said = answer.after
		}
		_, err = tx.ExecContext(ctx, `UPDATE alert_channel SET next_at = ?, failures = ?, problem = ? WHERE id = ?`,
			now.Add(retry(c.Failures+1, said)).UnixMilli(), c.Failures+1, problem.Error(), c.ID)
	}
	if err != nil {
		return fmt.Errorf("note channel: %w", err)
	}
	return nil
}

// noteTest writes down what came of a test. One that has arrived has what waits sent at
// once.
func (b *Bell) noteTest(ctx context.Context, c Channel, problem string) error {
	now, state := b.now(), stateSent
	if problem != "" {
		state = stateDropped
	}
	err := b.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO alert_delivery (channel, name, news, urgent, at, state, tries, done_at, problem) VALUES (?, ?, 'test', 0, ?, ?, 1, ?, ?)`,
			c.ID, c.Name, now.UnixMilli(), state, now.UnixMilli(), problem)
		if err != nil {
			return fmt.Errorf("note test: %w", err)
		}
		if problem != "" {
			_, err = tx.ExecContext(ctx, `UPDATE alert_channel SET problem = ? WHERE id = ?`, problem, c.ID)
			return err
		}
		return c.noteIn(ctx, tx, now, nil)
	})
	b.wake()
	b.config.Changed()
	return err
}
