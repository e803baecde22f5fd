package webui

import (
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The log is filtered by weight, part and text, newest first, and can be taken away
// as a file that is filtered likewise.
func TestLogs(t *testing.T) {
	w := open(t, newGolden())
	if got := w.get("/logs.txt"); got.StatusCode == http.StatusOK {
		t.Error("strangers read the log")
	}
	w.signIn()
	for query, want := range map[string]string{
		"":                           "Block found, Job failed, Wallet not copied, Miner connected, Pool started",
		"?level=warn":                "Job failed, Wallet not copied",
		"?level=error":               "Job failed",
		"?level=nonsense&part=pool":  "",
		"?q=NO+SPACE":                "Job failed, Wallet not copied",
		"?q=agent%3D":                "Miner connected",
		"?part=webui&q=%3Cscript%3E": "Miner connected",
	} {
		body := w.get("/logs" + query).body
		var got []string
		for _, m := range []string{"Block found", "Job failed", "Wallet not copied", "Miner connected", "Pool started"} {
			if strings.Contains(body, `<span class="log-text">`+m) {
				got = append(got, m)
			}
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s shows %s, want %s", query, text, want)
		}
		_, link, _ := strings.Cut(body, `href="/logs.txt`) // the one on the page, with the same filter
		link, _, _ = strings.Cut(link, `"`)
		file := w.get("/logs.txt" + html.UnescapeString(link))
		if n := strings.Count(file.body, "msg="); n != len(got) || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("the file for %s has %d lines, want %d", query, n, len(got))
		}
	}
	if body := w.get("/logs").body; !strings.Contains(body, inEnglish.must("logs.hint.job_failed")) {
		t.Error("a known line has no plain words")
	}
	w.site.book = nil
	if body := w.get("/logs").body; !strings.Contains(body, inEnglish.must("logs.not_kept")) {
		t.Error("a page without a log does not say so")
	}
}

// An operator makes the log say more while the pool runs, which is written down; the
// page then has the details, and nobody else can do it.
func TestLogLevel(t *testing.T) {
	w := open(t, newGolden())
	log := slog.New(w.site.book.Handler(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: w.site.level})))
	log.Debug("A detail before")
	if got := w.do(http.MethodPost, "/logs/level", url.Values{"level": {"debug"}}); got.StatusCode != http.StatusUnauthorized || w.site.level.Level() != slog.LevelInfo {
		t.Errorf("a stranger: status %d, level %s", got.StatusCode, w.site.level.Level())
	}
	w.signIn()
	for level, want := range map[string]int{"debug": http.StatusSeeOther, "loud": http.StatusNotFound, "": http.StatusNotFound} {
		if got := w.do(http.MethodPost, "/logs/level", url.Values{"token": {w.token()}, "level": {level}}); got.StatusCode != want {
			t.Errorf("%q: status %d", level, got.StatusCode)
		}
	}
	log.Debug("A detail after")
	body := w.get("/logs?level=debug").body
	checkPage(t, body)
	if strings.Contains(body, "A detail before") || !strings.Contains(body, "A detail after") || !strings.Contains(body, `<option value="debug" selected>`) {
		t.Error("the details are not there from the change on")
	}
	if strings.Contains(w.get("/logs").body, "A detail after") {
		t.Error("details show to who did not ask for them")
	}
	w.box.safe.full = true // the audit log takes nothing
	w.do(http.MethodPost, "/logs/level", url.Values{"token": {w.token()}, "level": {"error"}})
	if w.site.level.Level() != slog.LevelDebug {
		t.Error("a change that was not written down was made")
	}
}

// The lines that have plain words are still said somewhere.
func TestHintsAreOfLinesThatAreSaid(t *testing.T) {
	code := belowSources(t)
	for message, name := range hints() {
		if strings.Count(code, `"`+message+`"`) < 2 { // once in the table itself
			t.Errorf("nobody logs %q any more", message)
		}
		inEnglish.must("logs.hint." + name)
	}
}

// A new line reaches an open page at once.
func TestLogsStir(t *testing.T) {
	w := open(t, newGolden())
	wait := w.site.stirred("logs")
	slog.New(w.site.book.Handler(slog.DiscardHandler)).Info("News")
	select {
	case <-wait:
	default:
		t.Error("the page does not hear of a new line")
	}
	if w.site.stirred("blocks") != nil {
		t.Error("the log wakes other pages")
	}
}
