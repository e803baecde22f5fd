package webui

import (
	"net/http"
	"strings"
	"testing"
)

// Bitcoin Core can be brought as a file, in the middle of the set-up. A wrong file is
// said on that page and on those after it, with the way on.
func TestSetupTakesBitcoinCore(t *testing.T) {
	t.Setenv("DMPOOL_BITCOIND", "")
	w, _, dir := openSetup(t)
	if got := w.get("/setup/core"); got.Header.Get("Location") != "/setup/welcome" {
		t.Errorf("without the code: %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	w.claim(dir)
	if got := w.get("/setup/core"); got.Header.Get("Location") != "/setup/start" {
		t.Errorf("before its time: %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	for _, a := range goodAnswers()[:4] {
		w.say(a[0], a[1:]...)
	}
	page := w.get("/setup/core")
	checkPage(t, page.body)
	token := hidden(t, page.body, "token")
	if got := w.do(http.MethodPost, "/setup/core/upload", nil, multipartForm(t, "token", "another's", "file", "x")); got.StatusCode != http.StatusForbidden {
		t.Errorf("with another's token: %d", got.StatusCode)
	}
	wrong := w.do(http.MethodPost, "/setup/core/upload", nil, multipartForm(t, "token", token, "file", "holiday.jpg"))
	if wrong.StatusCode != http.StatusUnprocessableEntity || strings.Count(wrong.body, "was not installed") != 1 {
		t.Errorf("a wrong file: %d %s", wrong.StatusCode, wrong.body)
	}
	checkPage(t, wrong.body)
	next := w.get("/setup/node")
	checkPage(t, next.body)
	if !strings.Contains(next.body, "was not installed") || !strings.Contains(next.body, "You may go on") || !strings.Contains(next.body, `href="/setup/core"`) {
		t.Error("the step does not say what went wrong, or not how to go on")
	}
	if got := w.do(http.MethodPost, "/setup/core/stop", map[string][]string{"token": {token}}); got.Header.Get("Location") != "/setup/core" {
		t.Errorf("stopping nothing: %d", got.StatusCode)
	}
}
