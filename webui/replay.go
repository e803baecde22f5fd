package webui

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// answerLife is how long the answer to a command is kept for its repetition.
const answerLife = 24 * time.Hour

// replays makes commands idempotent: a client that lost an answer sends the
// command again with the same key and gets the answer of the first time. Only
// what was done is remembered; what was refused changed nothing and is tried
// anew. The answers are in the table web_answer, which belongs to this file.
//
// A crash between a command and its answer loses only the answer: drafts carry
// the key themselves, and everything else is bound to a revision, so the
// repetition finds what was done and does nothing.
type replays struct {
	db  *sqlite.DB
	now func() time.Time

	mu      sync.Mutex
	running map[replayKey]chan struct{} // closed when the command is done
}

type replayKey struct {
	operator int64
	key      string
}

// kept is a command's answer.
type kept struct {
	digest []byte // of the command
	status int
	body   json.RawMessage
}

// once runs a command, or returns what the command with this key was answered.
// A key that was used for another command is refused.
func (p *replays) once(ctx context.Context, k replayKey, digest []byte, run func() (int, any, error)) (kept, error) {
	done, err := p.enter(ctx, k)
	if err != nil {
		return kept{}, err
	}
	defer done()
	old, err := p.load(ctx, k)
	if err == nil && !bytes.Equal(old.digest, digest) {
		return kept{}, &problem{
			Status: http.StatusUnprocessableEntity, Code: "key-reused",
			Detail: "This idempotency key was used for another command. Make up a new one.",
		}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return old, err
	}
	status, v, err := run()
	if err != nil {
		return kept{}, err
	}
	fresh := kept{digest: digest, status: status}
	if fresh.body, err = json.Marshal(v); err != nil {
		return kept{}, fmt.Errorf("encode answer: %w", err)
	}
	return fresh, p.store(context.WithoutCancel(ctx), k, fresh)
}

// enter waits until no other command with this key runs.
func (p *replays) enter(ctx context.Context, k replayKey) (done func(), err error) {
	for {
		p.mu.Lock()
		other, busy := p.running[k]
		if !busy {
			mine := make(chan struct{})
			p.running[k] = mine
			p.mu.Unlock()
			return func() {
				p.mu.Lock()
				delete(p.running, k)
				p.mu.Unlock()
				close(mine)
			}, nil
		}
		p.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *replays) load(ctx context.Context, k replayKey) (a kept, err error) {
	var body string
	err = p.db.Reader().QueryRowContext(ctx, `
		SELECT digest, status, body FROM web_answer WHERE operator = ? AND key = ? AND at > ?`,
		k.operator, k.key, p.now().Add(-answerLife).UnixMilli()).Scan(&a.digest, &a.status, &body)
	if err != nil {
		return kept{}, fmt.Errorf("look for answer: %w", err)
	}
	a.body = json.RawMessage(body)
	return a, nil
}

// store keeps an answer and drops those that are too old.
func (p *replays) store(ctx context.Context, k replayKey, a kept) error {
	now := p.now()
	err := p.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM web_answer WHERE at <= ?`, now.Add(-answerLife).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO web_answer (operator, key, digest, status, body, at) VALUES (?, ?, ?, ?, ?, ?)`,
			k.operator, k.key, a.digest, a.status, string(a.body), now.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}
