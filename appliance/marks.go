package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Mark is how the operators call a miner: an account, or one of its workers.
type Mark struct {
	Address string
	Worker  string // empty: the address itself
	Label   string // empty: none
	Tags    []string
}

// Bounds of what operators write, in characters.
const (
	maxLabel = 40
	maxTag   = 24
	maxTags  = 8
)

// Marks returns the marks of an address, or all of them when address is empty.
func (a *Appliance) Marks(ctx context.Context, address string) ([]Mark, error) {
	rows, err := a.db.Reader().QueryContext(ctx, `
		SELECT address, worker, label, tags FROM mark WHERE ?1 = '' OR address = ?1 ORDER BY address, worker`, address)
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	marks, err := sqlite.Collect(rows, func(r *sql.Rows) (Mark, error) {
		var m Mark
		var tags string
		if err := r.Scan(&m.Address, &m.Worker, &m.Label, &tags); err != nil {
			return m, err
		}
		return m, json.Unmarshal([]byte(tags), &m.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	return marks, nil
}

// SetMark replaces the label and the tags of a miner; without either the mark is
// gone. The error is a [*MinerError] or one of the database.
func (a *Appliance) SetMark(ctx context.Context, m Mark, actor, ip string) error {
	address, _, err := pool.ParseAddress(m.Address, a.network)
	if err != nil {
		return &MinerError{err}
	}
	m.Address = address
	if m.Label, err = line(m.Label, maxLabel); err != nil {
		return &MinerError{fmt.Errorf("a label is one line of at most %d characters", maxLabel)}
	}
	if m.Tags, err = cleanTags(m.Tags); err != nil {
		return err
	}
	tags, err := json.Marshal(m.Tags)
	if err != nil {
		return fmt.Errorf("encode tags: %w", err)
	}
	who := Banned{Address: m.Address, Worker: m.Worker}
	err = a.changeMiner(ctx, AuditEntry{
		Actor: actor, Action: "miner.mark", Object: who.String(), IP: ip, Detail: map[string]string{"label": m.Label, "tags": string(tags)},
	}, func(tx *sql.Tx, _ time.Time) error {
		if m.Label == "" && len(m.Tags) == 0 {
			_, err := tx.ExecContext(ctx, `DELETE FROM mark WHERE address = ? AND worker = ?`, m.Address, m.Worker)
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO mark (address, worker, label, tags) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET label = excluded.label, tags = excluded.tags`, m.Address, m.Worker, m.Label, string(tags))
		return err
	})
	if err != nil {
		return fmt.Errorf("mark miner: %w", err)
	}
	return nil
}

// cleanTags sorts the tags and takes each once.
func cleanTags(tags []string) ([]string, error) {
	clean := []string{}
	for _, tag := range tags {
		text, err := line(tag, maxTag)
		if err != nil {
			return nil, &MinerError{fmt.Errorf("a tag is a word of at most %d characters", maxTag)}
		}
		if text != "" && !slices.Contains(clean, text) {
			clean = append(clean, text)
		}
	}
	if len(clean) > maxTags {
		return nil, &MinerError{fmt.Errorf("a miner has at most %d tags", maxTags)}
	}
	slices.Sort(clean)
	return clean, nil
}
