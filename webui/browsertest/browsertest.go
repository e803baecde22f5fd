// Package browsertest starts a real Chromium for tests that look at pages as people
// do. Only tests import it.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Open starts a headless Chromium with a window of that size in pixels and returns
// its first tab. It is $DMPOOL_BROWSER or the one in the path; without one the test
// is skipped, or fails where everything has to run. The browser ends with the test.
func Open(t *testing.T, width, height int) context.Context {
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
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WindowSize(width, height))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	tab, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(tab); err != nil { // waits, so that no process stays behind
			t.Logf("close browser: %v", err)
		}
		cancel()
	})
	// The browser lives as long as the context of its first run, so that one has no
	// limit; and a tab opened from a context that has not run would start a browser
	// of its own.
	if err := chromedp.Run(tab); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	return tab
}

// Do runs the actions in the tab, for at most so long, and fails the test with what
// the page says when they do not succeed.
func Do(t *testing.T, tab context.Context, atMost time.Duration, what string, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, atMost)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var page string
		last, cancel := context.WithTimeout(tab, 5*time.Second)
		defer cancel()
		_ = chromedp.Run(last, chromedp.Text("body", &page))
		t.Fatalf("%s: %v; the page says:\n%s", what, err, page)
	}
}
