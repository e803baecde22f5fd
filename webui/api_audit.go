package webui

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// auditQuery is an auditFilter whose times are moments, and that can ask for what was
// done to one thing.
type auditQuery struct {
	auditFilter

	Object string
}

// auditSums are the figures of the audit log.
type auditSums struct {
	Total, Failed  int64
	Actions        []auditCount
	Oldest, Newest time.Time
}

type auditCount struct {
	Action string
	Count  int64
}

// MarshalJSON writes the pair as the earlier project did: ["login", 12].
func (c auditCount) MarshalJSON() ([]byte, error) { return json.Marshal([]any{c.Action, c.Count}) }

type auditJSON struct {
	ID      int64             `json:"id"`
	At      time.Time         `json:"timestamp"`
	Actor   string            `json:"username"` // or a part of the program
	Action  string            `json:"action"`
	Object  string            `json:"resource"`
	IP      string            `json:"ip_address"`
	Details map[string]string `json:"details"`
	Success bool              `json:"success"`
	Error   *string           `json:"error"`
}

func auditOf(l auditLine) auditJSON {
	v := auditJSON{
		ID: l.Seq, At: l.At.UTC(), Actor: l.Actor, Action: l.Action, Object: l.Object, IP: l.IP,
		Details: map[string]string{}, Success: l.Fine,
	}
	if !l.Fine {
		v.Error = &l.Result
	}
	for _, d := range l.Detail {
		v.Details[d.Name] = d.Value
	}
	return v
}

// apiAudit lists entries, the newest first.
func (s *site) apiAudit(r *http.Request) (any, error) {
	q := r.URL.Query()
	query := auditQuery{Object: cut(q.Get("resource"), 200)}
	query.Actor, query.Action = cut(q.Get("username"), 100), cut(q.Get("action"), 100)
	var err error
	if query.Limit, err = countOf(q.Get("limit"), 100, 1, 1000); err != nil {
		return nil, invalid("The limit is a number from 1 to 1000.")
	}
	if query.From, err = unixOf(q.Get("start_time")); err != nil {
		return nil, invalid("The start_time is a Unix time in seconds.")
	}
	if query.To, err = unixOf(q.Get("end_time")); err != nil {
		return nil, invalid("The end_time is a Unix time in seconds.")
	}
	if text := q.Get("before"); text != "" {
		if query.Before, err = strconv.ParseInt(text, 10, 64); err != nil || query.Before < 1 {
			return nil, invalid("Before is the number of an entry.")
		}
	}
	entries, err := s.box.AuditEntries(r.Context(), query)
	if err != nil {
		return nil, err
	}
	answer := []auditJSON{}
	for _, e := range entries {
		answer = append(answer, auditOf(e))
	}
	return answer, nil
}

// unixOf reads a time in seconds, the zero time when there is none.
func unixOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 40)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return time.Unix(n, 0), err
}

// auditStatsJSON is the answer of /api/audit/stats.
type auditStatsJSON struct {
	Total   int64        `json:"total_logs"`
	Success int64        `json:"success_count"`
	Failed  int64        `json:"failure_count"`
	Actions []auditCount `json:"top_actions"`
	Oldest  *time.Time   `json:"oldest_log"`
	Newest  *time.Time   `json:"newest_log"`
}

func (s *site) apiAuditStats(r *http.Request) (any, error) {
	v, err := s.box.AuditSums(r.Context())
	if err != nil {
		return nil, err
	}
	return auditStatsJSON{
		Total: v.Total, Success: v.Total - v.Failed, Failed: v.Failed, Actions: append([]auditCount{}, v.Actions...),
		Oldest: timeOf(v.Oldest), Newest: timeOf(v.Newest),
	}, nil
}
