package webui

import (
	"log/slog"
	"net/http"
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
		file := w.get("/logs.txt" + query)
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
