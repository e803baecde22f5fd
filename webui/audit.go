package webui

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The audit page says who did what. It reads only: nothing can be changed in the
// log, or taken out of it, here or anywhere else.

// auditLog is what the page needs of the box.
type auditLog interface {
	Audit(ctx context.Context, f auditFilter) ([]auditLine, error)
	AuditNames(ctx context.Context) (actors, actions []string, err error)
	AuditProof(ctx context.Context) (auditProof, error)
}

// auditPage is how many entries a page has, and auditBatch how many an export reads
// at a time.
const (
	auditPage  = 100
	auditBatch = 1000
)

// What came out, in the filter.
const (
	auditOK     = "ok"
	auditFailed = "failed"
)

// auditFilter says which entries are wanted; what is zero does not count.
type auditFilter struct {
	Actor, Action, Result string
	From, To              time.Time // days of UTC; To is the last one
	Before                int64     // entries below this number
	Limit                 int
}

// auditProof says how far the log is as it was written.
type auditProof struct {
	To     int64
	Broken int64 // the first entry that is not; 0: none
}

// auditLine is an entry, or several that failed alike.
type auditLine struct {
	Seq     int64
	At      time.Time
	Actor   string
	Action  string
	Object  string
	Result  string
	Fine    bool
	IP      string
	Session string
	Times   int       // that it happened
	Since   time.Time // the first of them
	Detail  []auditDetail
}

// auditDetail is what an entry says besides, such as a setting as it was and is.
type auditDetail struct{ Name, Value string }

// UTC is the time of the entry as the log has it.
func (l auditLine) UTC() string { return l.At.UTC().Format(time.DateTime) }

// Link leads to what was done something to, if it has a page.
func (l auditLine) Link() string {
	payout, ok := strings.CutPrefix(l.Object, "pay:")
	switch {
	case ok:
		return "/payouts/" + url.PathEscape(payout)
	case strings.HasPrefix(l.Action, "account.") && l.Object != "":
		return "/accounts/" + url.PathEscape(l.Object)
	case l.Action == "job.run":
		return "/jobs"
	case l.Action == "settings":
		return "/settings"
	}
	return ""
}

// auditView fills templates/audit.html.
type auditView struct {
	Lines           []auditLine
	Filter          auditFilter
	Actors, Actions []string
	Proof           auditProof
	Older           int64 // the page before this one; 0: none
	known           func(word string) bool
}

// Known reports whether an action has words besides its code.
func (v auditView) Known(action string) bool { return v.known(v.Word(action)) }

// Word is what the catalogues call an action.
func (auditView) Word(action string) string { return strings.ReplaceAll(action, ".", "-") }

// Query is the filter as a URL has it.
func (v auditView) Query() string { return v.Filter.query(0) }

// OlderQuery leads to older entries.
func (v auditView) OlderQuery() string { return v.Filter.query(v.Older) }

// From and To are the days of the filter, for its form.
func (v auditView) From() string { return day(v.Filter.From) }

// To see From.
func (v auditView) To() string { return day(v.Filter.To) }

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func (f auditFilter) query(before int64) string {
	q := url.Values{}
	for name, value := range map[string]string{"actor": f.Actor, "action": f.Action, "result": f.Result, "from": day(f.From), "to": day(f.To)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func (s *site) audit(r *http.Request, _ caller) (any, error) {
	f, err := readAuditFilter(r)
	if err != nil {
		return nil, err
	}
	v := auditView{Filter: f, known: func(word string) bool { return s.words[english].has("audit.action." + word) }}
	f.Limit = auditPage + 1
	if v.Lines, err = s.box.Audit(r.Context(), f); err != nil {
		return nil, err
	}
	if len(v.Lines) > auditPage {
		v.Lines = v.Lines[:auditPage]
		v.Older = v.Lines[auditPage-1].Seq
	}
	v.Lines = together(v.Lines)
	if v.Actors, v.Actions, err = s.box.AuditNames(r.Context()); err != nil {
		return nil, err
	}
	v.Proof, err = s.box.AuditProof(r.Context())
	return v, err
}

func readAuditFilter(r *http.Request) (auditFilter, error) {
	q := r.URL.Query()
	f := auditFilter{Actor: cut(q.Get("actor"), 64), Action: cut(q.Get("action"), 64), Result: q.Get("result")}
	var err error
	for name, to := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		if text := q.Get(name); text != "" {
			if *to, err = time.Parse(time.DateOnly, text); err != nil {
				return f, invalid("The day is not understood. Write it like 2026-11-22.")
			}
		}
	}
	if text := q.Get("before"); text != "" {
		if f.Before, err = strconv.ParseInt(text, 10, 64); err != nil {
			return f, invalid("The number of the entry is not understood.")
		}
	}
	if f.Result != "" && f.Result != auditOK && f.Result != auditFailed {
		return f, invalid("The result is ok or failed.")
	}
	return f, nil
}

// together makes one line of entries that follow each other and failed alike:
// "12 times from 192.168.1.77".
func together(lines []auditLine) []auditLine {
	var all []auditLine
	for _, l := range lines {
		last := len(all) - 1
		if last >= 0 && !l.Fine && alike(all[last], l) {
			all[last].Times += l.Times
			all[last].Since = l.Since
			continue
		}
		all = append(all, l)
	}
	return slices.Clip(all)
}

func alike(a, b auditLine) bool {
	return a.Actor == b.Actor && a.Action == b.Action && a.Object == b.Object && a.Result == b.Result && a.IP == b.IP
}
