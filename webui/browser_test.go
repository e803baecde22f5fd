//go:build browser

package webui

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// startBrowser starts a headless Chromium, $DMPOOL_BROWSER or the one in the
// path. Without one the test is skipped, or fails where everything has to run.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("DMPOOL_BROWSER")
	if path == "" {
		path = "chromium-headless-shell"
	}
	path, err := exec.LookPath(path)
	if err != nil && os.Getenv("DMPOOL_TEST_ALL") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("chromium-headless-shell is not installed")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	// The browser starts here; a tab opened from a context that has not run
	// would start a browser of its own.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// cookies hands the session of the visit to the browser.
func (w *visit) cookies() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		u, err := url.Parse(w.url)
		if err != nil {
			return err
		}
		for _, c := range w.http.Jar.(*cookiejar.Jar).Cookies(u) {
			if err := network.SetCookie(c.Name, c.Value).WithURL(w.url).Do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// complaints collects what the browser has to say against a page: console
// errors, violations of the CSP, exceptions, and requests to other hosts.
type complaints struct {
	mu   sync.Mutex
	list []string
	host string
}

func (c *complaints) listen(ctx context.Context) {
	chromedp.ListenTarget(ctx, func(ev any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch e := ev.(type) {
		case *log.EventEntryAdded:
			c.list = append(c.list, e.Entry.Text)
		case *cdpruntime.EventExceptionThrown:
			c.list = append(c.list, e.ExceptionDetails.Error())
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, c.host) && !strings.HasPrefix(e.Request.URL, "data:") {
				c.list = append(c.list, "request to "+e.Request.URL)
			}
		}
	})
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// Every page fits every width, in light and dark, and the browser has nothing
// to complain about. DMPOOL_SCREENSHOTS=DIR keeps the pictures.
func TestPagesInBrowser(t *testing.T) {
	ctx := startBrowser(t)
	full, empty := open(t, newGolden()), open(t, newGolden().empty())
	trouble, elsewhere := open(t, frozen(stuck(newGolden()))), open(t, cold(newGolden()))
	full.signIn()
	empty.signIn()
	trouble.signIn()
	elsewhere.signIn()
	sound, lost := open(t, withWallet("confirmed")), open(t, withWallet("drawn"))
	lost.box.vault.page.Loaded, lost.box.vault.page.Ask, lost.box.vault.page.Problem = false, []int{2, 7, 11}, "it waits"
	sound.signIn()
	lost.signIn()

	type target struct {
		name, path string
		visit      *visit
		stranger   bool
	}
	var targets []target
	for _, p := range []string{"", "workers", "blocks", "blocks/" + full.box.block.Hash, "payouts", "payouts?tab=owed", "payouts/42", "node", "jobs", "settings", "accounts/" + newAddress, "books", "people", "connect", "observer", "observer/" + aliceAddress, "nowhere"} {
		targets = append(targets, target{"full-" + p, "/" + p, full, false})
	}
	for _, p := range []string{"login", "connect", "observer", "observer/" + aliceAddress, "observer/" + newAddress, "observer?address=nonsense", "nowhere"} {
		targets = append(targets, target{"public-" + p, "/" + p, full, true})
	}
	for _, p := range []string{"", "workers", "blocks", "payouts", "node", "jobs", "people", "connect"} {
		targets = append(targets, target{"empty-" + p, "/" + p, empty, false})
	}
	targets = append(targets,
		target{"stuck-payout", "/payouts/42", trouble, false},
		target{"frozen-books", "/books", trouble, false},
		target{"wallet", "/wallet", sound, false},
		target{"lost-wallet", "/wallet", lost, false},
		target{"cold-payout", "/payouts/42", elsewhere, false},
		target{"statement", "/observer/" + aliceAddress + "/blocks/" + full.box.block.Hash, full, true},
		target{"receipt", "/observer/" + aliceAddress + "/payouts/40", full, true})
	for _, tg := range targets {
		for _, width := range []int64{1280, 390, 320} {
			for _, scheme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s %d %s", tg.name, width, scheme), func(t *testing.T) {
					show(t, ctx, tg.visit, tg.path, tg.name, width, scheme, tg.stranger)
				})
			}
		}
	}
}

func show(t *testing.T, browser context.Context, w *visit, path, name string, width int64, scheme string, stranger bool) {
	ctx, cancel := chromedp.NewContext(browser)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	bad := &complaints{host: w.url}
	bad.listen(ctx)
	setUp := chromedp.Tasks{
		network.Enable(), log.Enable(), network.ClearBrowserCookies(),
		emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}),
	}
	if !stranger {
		setUp = append(setUp, w.cookies())
	}
	var scroll, client int64
	var picture []byte
	err := chromedp.Run(ctx, setUp, chromedp.Navigate(w.url+path), chromedp.WaitReady("main"),
		chromedp.Evaluate(`document.documentElement.scrollWidth`, &scroll),
		chromedp.Evaluate(`document.documentElement.clientWidth`, &client),
		chromedp.FullScreenshot(&picture, 100))
	if err != nil {
		t.Fatal(err)
	}
	if scroll > client {
		t.Errorf("page is %d px wide in a window of %d", scroll, client)
	}
	for _, c := range bad.take() {
		if path == "/nowhere" && strings.Contains(c, http.StatusText(http.StatusNotFound)) || strings.Contains(path, "nonsense") && strings.Contains(c, "422") {
			continue
		}
		t.Errorf("browser complains: %s", c)
	}
	if dir := os.Getenv("DMPOOL_SCREENSHOTS"); dir != "" {
		file := strings.NewReplacer("/", "-", "?", "-").Replace(strings.TrimSuffix(name, "/"))
		if len(file) > 40 {
			file = file[:40]
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", file, width, scheme)), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
