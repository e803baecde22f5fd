package webui

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

func (m *machine) Audit(ctx context.Context, f auditFilter) ([]auditLine, error) {
	find := appliance.AuditFilter{
		Actor: f.Actor, Action: f.Action, OK: f.Result == auditOK, Failed: f.Result == auditFailed, From: f.From, Before: f.Before, Limit: f.Limit,
	}
	if !f.To.IsZero() {
		find.To = f.To.AddDate(0, 0, 1)
	}
	return m.findAudit(ctx, find)
}

func (m *machine) findAudit(ctx context.Context, f appliance.AuditFilter) ([]auditLine, error) {
	entries, err := m.box.FindAudit(ctx, f)
	if err != nil {
		return nil, err
	}
	lines := make([]auditLine, len(entries))
	for i, e := range entries {
		lines[i] = auditLineOf(e)
	}
	return lines, nil
}

func auditLineOf(e appliance.AuditEntry) auditLine {
	l := auditLine{
		Seq: e.Seq, At: e.At, Actor: e.Actor, Action: e.Action, Object: e.Object, Result: e.Result, Fine: e.Fine(), IP: e.IP,
		Session: e.Detail[appliance.DetailSession], Times: 1, Since: e.At,
	}
	if n, err := strconv.Atoi(e.Detail[appliance.DetailTimes]); err == nil {
		l.Times = n
	}
	if since, err := time.Parse(time.RFC3339, e.Detail[appliance.DetailSince]); err == nil {
		l.Since = since
	}
	for name, value := range e.Detail {
		if name != appliance.DetailSession && name != appliance.DetailTimes && name != appliance.DetailSince {
			l.Detail = append(l.Detail, auditDetail{name, value})
		}
	}
	slices.SortFunc(l.Detail, func(a, b auditDetail) int { return strings.Compare(a.Name, b.Name) })
	return l
}

func (m *machine) AuditNames(ctx context.Context) (actors, actions []string, err error) {
	return m.box.AuditNames(ctx)
}

func (m *machine) AuditProof(ctx context.Context) (auditProof, error) {
	p, err := m.box.AuditProof(ctx, false)
	return auditProof{To: p.To, Broken: p.Broken}, err
}
