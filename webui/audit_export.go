package webui

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

var auditHead = []string{"seq", "time", "actor", "action", "object", "result", "ip", "session", "times", "detail"}

// auditCSV is the log, or what the filter leaves of it, the newest entry first.
// Text that a spreadsheet would take for a formula gets an apostrophe in front.
func (s *site) auditCSV(w http.ResponseWriter, r *http.Request, who caller) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return s.exportAudit(w, r, who, "text/csv; charset=utf-8; header=present", "csv",
		func() error { return out.Write(auditHead) },
		func(l auditLine) error {
			return out.Write([]string{
				decimal(l.Seq), l.At.UTC().Format(time.RFC3339Nano), inert(l.Actor), inert(l.Action), inert(l.Object),
				inert(l.Result), inert(l.IP), inert(l.Session), decimal(int64(l.Times)), inert(l.details()),
			})
		},
		func() error { out.Flush(); return out.Error() })
}

func (l auditLine) details() string {
	var parts []string
	for _, d := range l.Detail {
		parts = append(parts, d.Name+": "+d.Value)
	}
	return strings.Join(parts, "; ")
}

// auditRow is a line of the JSONL export.
type auditRow struct {
	Seq     int64             `json:"seq"`
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor"`
	Action  string            `json:"action"`
	Object  string            `json:"object"`
	Result  string            `json:"result"`
	IP      string            `json:"ip"`
	Session string            `json:"session"`
	Times   int               `json:"times"`
	Detail  map[string]string `json:"detail"`
}

// auditJSON is the same, one JSON object on each line.
func (s *site) auditJSON(w http.ResponseWriter, r *http.Request, who caller) error {
	out := json.NewEncoder(w)
	none := func() error { return nil }
	return s.exportAudit(w, r, who, "application/jsonl", "jsonl", none, func(l auditLine) error {
		row := auditRow{l.Seq, l.At.UTC(), l.Actor, l.Action, l.Object, l.Result, l.IP, l.Session, l.Times, map[string]string{}}
		for _, d := range l.Detail {
			row.Detail[d.Name] = d.Value
		}
		return out.Encode(row)
	}, none)
}

// exportAudit streams the log. That somebody takes it along is an entry of it.
func (s *site) exportAudit(w http.ResponseWriter, r *http.Request, who caller, kind, ending string, begin func() error, write func(auditLine) error, flush func() error) error {
	f, err := readAuditFilter(r)
	if err != nil {
		return err
	}
	f.Limit = auditBatch
	lines, err := s.box.Audit(r.Context(), f)
	if err != nil {
		return err
	}
	if err := s.box.Note(r.Context(), who.Operator, "audit.export", ending, who.IP.String()); err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="dmpool-audit.`+ending+`"`)
	err = begin()
	for len(lines) > 0 && err == nil {
		for _, l := range lines {
			if err = write(l); err != nil {
				break
			}
		}
		if err == nil {
			err = flush()
		}
		if err == nil {
			f.Before = lines[len(lines)-1].Seq
			lines, err = s.box.Audit(r.Context(), f)
		}
	}
	if err != nil {
		s.log.Warn("Audit log not sent to its end", "err", err)
	}
	return gone(err)
}
