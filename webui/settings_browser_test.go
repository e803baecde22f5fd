//go:build browser

package webui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// A change of the fee is typed, shown, confirmed and in force, without a line of
// JavaScript, on a phone and on a desk.
func TestSettingsInBrowser(t *testing.T) {
	browser := startBrowser(t)
	for _, width := range []int64{1280, 320} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			ctx, cancel := chromedp.NewContext(browser)
			defer cancel()
			ctx, stop := context.WithTimeout(ctx, 30*time.Second)
			defer stop()
			bad := &complaints{host: w.url}
			bad.listen(ctx)
			var changes, saved string
			var scroll, client int64
			var picture []byte
			err := chromedp.Run(ctx, network.Enable(), log.Enable(), network.ClearBrowserCookies(), w.cookies(),
				emulation.SetScriptExecutionDisabled(true),
				emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
				chromedp.Navigate(w.url+"/settings"),
				chromedp.SetValue("#fee_bps", "1.5", chromedp.ByQuery),
				chromedp.SetValue("#name", "Our home pool", chromedp.ByQuery),
				chromedp.Click(".save button", chromedp.ByQuery),
				chromedp.WaitVisible("#changes-h"),
				chromedp.Text(".changes", &changes, chromedp.ByQuery),
				chromedp.Evaluate(`document.documentElement.scrollWidth`, &scroll),
				chromedp.Evaluate(`document.documentElement.clientWidth`, &client),
				chromedp.FullScreenshot(&picture, 100),
				chromedp.SendKeys("#password", password),
				chromedp.Click(".answers button", chromedp.ByQuery),
				chromedp.WaitVisible(".note.ok", chromedp.ByQuery),
				chromedp.Text(".note.ok", &saved, chromedp.ByQuery))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(changes, "1.5 %") || !strings.Contains(changes, "Our home pool") || !strings.Contains(saved, "Saved") {
				t.Errorf("the review shows %q, then the page says %q", changes, saved)
			}
			if scroll > client {
				t.Errorf("the review is %d px wide in a window of %d", scroll, client)
			}
			if s, _, _ := w.box.Settings(ctx); s.FeeBps != 150 || s.Name != "Our home pool" {
				t.Errorf("settings %+v", s)
			}
			for _, c := range bad.take() {
				t.Errorf("browser complains: %s", c)
			}
			if dir := os.Getenv("DMPOOL_SCREENSHOTS"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("settings-review-%d.png", width)), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
