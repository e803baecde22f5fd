package webui

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance/logbook"
)

// The page shows what the file will hold, nothing of it is secret, and taking it is
// written down.
func TestSupport(t *testing.T) {
	w := open(t, newGolden())
	slog.New(w.site.book.Handler(slog.DiscardHandler)).Warn("Odd", "peer", "192.168.1.77:4028", "err", "Planted-Secret-1 of "+aliceAddress)
	w.signIn()
	for _, lang := range []string{english, chinese} {
		page := w.get("/support?lang=" + lang)
		checkPage(t, page.body)
		for _, want := range []string{"about.json", "health.json", "log.txt", "1.2.3", "ip-", logbook.LeftOut} {
			if !strings.Contains(page.body, want) {
				t.Errorf("%s: the page has no %s", lang, want)
			}
		}
		for _, secret := range []string{"192.168.1.77", "Planted", aliceAddress, "alert("} {
			if strings.Contains(page.body, secret) {
				t.Errorf("%s: the page has %s", lang, secret)
			}
		}
	}
	if body := w.get("/support?addresses").body; !strings.Contains(body, "192.168.1.77") || strings.Contains(body, "Planted") {
		t.Error("addresses that were asked for are missing, or more than those is there")
	}
	file := w.do(http.MethodPost, "/support", url.Values{"token": {w.token()}})
	if file.StatusCode != http.StatusOK || !strings.HasPrefix(file.body, "PK") || !strings.Contains(file.Header.Get("Content-Disposition"), "dmpool-support-2026-11-22-1200.zip") {
		t.Errorf("status %d, %s", file.StatusCode, file.Header.Get("Content-Disposition"))
	}
}
