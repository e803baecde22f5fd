//go:build browser

package webui

import (
	"context"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"

	cdpaudits "github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/dmpool/dmpool/webui/browsertest"
)

// startBrowser starts a browser with a window that every page has to fit in.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	return browsertest.Open(t, 800, 600)
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
