package webui

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/logbook"
)

// logsView fills templates/logs.html: the newest lines of the program's own log,
// newest first.
type logsView struct {
	Kept  bool // this process keeps its log
	Lines []logLine
	Parts []string // of the program that have said something
	Level string   // of the filter, one of logLevels
	Part  string
	Text  string
	Query string // the filter as a URL has it, with its question mark
	Said  string // how much the log says, as a level; empty when it cannot be changed
}

// logLine is a record. Hint names the plain words about it in the catalogue, empty
// when there are none.
type logLine struct {
	At      time.Time
	Level   string
	Part    string
	Message string
	Attrs   []logbook.Attr
	Hint    string
}

const (
	logLines    = 200
	logFileSize = 5000
)

func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

// Levels are the choices of the filter.
func (logsView) Levels() []string { return logLevels() }

// logFilter reads the filter of a URL; what it does not understand wants all.
func logFilter(q url.Values) (f logbook.Filter, level string) {
	f = logbook.Filter{Part: cut(q.Get("part"), 64), Text: cut(strings.TrimSpace(q.Get("q")), 128)}
	level = q.Get("level")
	if f.Level.UnmarshalText([]byte(level)) != nil {
		f.Level, level = slog.LevelInfo, "info"
	}
	return f, level
}

func (s *site) logs(r *http.Request, _ caller) (any, error) {
	if s.book == nil {
		return logsView{}, nil
	}
	f, level := logFilter(r.URL.Query())
	v := logsView{Kept: true, Parts: s.book.Parts(), Level: level, Part: f.Part, Text: f.Text}
	v.Query = "?" + url.Values{"level": {level}, "part": {f.Part}, "q": {f.Text}}.Encode()
	if s.level != nil {
		v.Said = strings.ToLower(s.level.Level().String())
	}
	records := s.book.Read(f, logLines)
	for i := len(records) - 1; i >= 0; i-- {
		v.Lines = append(v.Lines, newLogLine(records[i]))
	}
	return v, nil
}

// setLogLevel changes how much the log says, until the program is started again: who
// looks for a fault wants more for an hour, and a disk full of it helps nobody.
func (s *site) setLogLevel(w http.ResponseWriter, r *http.Request, who caller) error {
	name := r.PostFormValue("level")
	if s.level == nil || !slices.Contains(logLevels(), name) {
		return notFound()
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return fmt.Errorf("read level: %w", err)
	}
	if err := s.box.Note(r.Context(), who.Operator, "log.level", name, who.IP.String()); err != nil {
		return err
	}
	s.level.Set(level)
	s.log.Info("Log level changed", "level", name)
	http.Redirect(w, r, "/logs?level="+name, http.StatusSeeOther)
	return nil
}

func newLogLine(r logbook.Record) logLine {
	return logLine{At: r.At, Level: strings.ToLower(r.Level.String()), Part: r.Part, Message: r.Message, Attrs: r.Attrs, Hint: hints()[r.Message]}
}

// hints are the lines of the log that say more to somebody who knows the code than
// to somebody who runs a box. Their plain words are logs.hint.NAME; a test sees to it
// that the messages are still said.
func hints() map[string]string {
	return map[string]string{
		"Block found":                                           "block_found",
		"Miner sends nothing but invalid shares":                "invalid_shares",
		"Payouts do not move":                                   "payouts_stand",
		"Payout waits":                                          "payout_waits",
		"Payout failed":                                         "payout_failed",
		"Payout left the chain":                                 "payout_left",
		"Ledger does not add up, payouts are frozen":            "books_frozen",
		"Unknown payment from the wallet, payouts are frozen":   "books_frozen",
		"Coins are missing from the wallet, payouts are frozen": "books_frozen",
		"Disk nearly full: ballast given up for the databases":  "disk_full",
		"Wallet is not ready":                                   "wallet_waits",
		"Wallet not copied":                                     "wallet_copy",
		"Job failed":                                            "job_failed",
		"No node to run; get Bitcoin Core on the node page":     "no_node",
		"Bitcoin Core not installed":                            "no_core",
		"The way to the node is not encrypted":                  "plain_node",
		"Request failed":                                        "request_failed",
		"Audit entry not written":                               "database",
		"Job history not written":                               "database",
	}
}

// logFile hands the filtered log out as a text file.
func (s *site) logFile(w http.ResponseWriter, r *http.Request, _ caller) error {
	if s.book == nil {
		return notFound()
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="dmpool-`+s.now().UTC().Format("2006-01-02-1504")+`.log"`)
	f, _ := logFilter(r.URL.Query())
	log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, record := range s.book.Read(f, logFileSize) {
		line := slog.NewRecord(record.At.UTC(), record.Level, record.Message, 0)
		line.AddAttrs(slog.String("part", record.Part))
		for _, a := range record.Attrs {
			line.AddAttrs(slog.String(a.Key, a.Value))
		}
		if err := log.Handler().Handle(r.Context(), line); err != nil {
			return fmt.Errorf("send log: %w", err)
		}
	}
	return nil
}

// stirred is closed when a page that does not follow from the pool's events has news.
func (s *site) stirred(name string) <-chan struct{} {
	if name == "logs" && s.book != nil {
		return s.book.Changed()
	}
	return nil
}
