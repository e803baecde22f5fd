//go:build browser

package webui

import (
	"context"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	cdpaudits "github.com/chromedp/cdproto/audits"
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
		u, err := url.Parse(w.url + "/setup/") // whose cookie has a path of its own
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
		case *cdpaudits.EventIssueAdded:
			if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
				c.list = append(c.list, "against the Content-Security-Policy: "+csp.ViolatedDirective)
			}
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
