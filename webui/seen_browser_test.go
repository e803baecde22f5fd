//go:build browser

package webui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdpaudits "github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// inspection looks at one page in one language. The page is loaded once, as a
// reload takes longer than all else.
type inspection struct {
	t *testing.T
	target
	lang, axe string
}

// screens are the windows in which a page is looked at, and what they are called.
var screens = []struct {
	width int64
	name  string
}{{1280, "desktop"}, {390, "phone"}, {320, "small"}}

// between are windows in which nothing may have to be scrolled sideways either: a
// desktop at 200 per cent, and a tablet held both ways.
var between = []int64{640, 768, 1024}

// stillClock stops the page's clock, so that "12 s ago" is that on every picture.
const stillClock = `{const now = Date.now(); Date.now = () => now}`

func (i *inspection) run(browser context.Context) {
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext()) // cookies of its own
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	bad := &complaints{host: i.visit.url}
	bad.listen(ctx)
	setUp := chromedp.Tasks{
		network.Enable(), log.Enable(), cdpaudits.Enable(),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := cdppage.AddScriptToEvaluateOnNewDocument(stillClock).Do(ctx)
			return err
		}),
		network.SetCookie(languageCookie, i.lang).WithURL(i.visit.url),
	}
	if !i.stranger {
		setUp = append(setUp, i.visit.cookies())
	}
	setUp = append(setUp, chromedp.Navigate(i.visit.url+"/"+i.path), chromedp.WaitReady("main"), chromedp.Evaluate(i.axe, nil))
	if err := chromedp.Run(ctx, setUp); err != nil {
		i.t.Fatal(err)
	}
	i.screens(ctx)
	for _, c := range bad.take() {
		if i.loud && strings.Contains(c, "Failed to load resource") {
			continue
		}
		i.t.Errorf("browser complains: %s", c)
	}
}

// screens looks at the loaded page in all windows, light and dark.
func (i *inspection) screens(ctx context.Context) {
	for _, screen := range screens {
		for _, scheme := range []string{"light", "dark"} {
			i.look(ctx, screen.width, screen.name, scheme)
		}
	}
	for _, width := range between {
		if err := chromedp.Run(ctx, screenOf(width)); err != nil {
			i.t.Fatal(err)
		}
		for _, f := range i.faults(ctx, sideways) {
			i.t.Errorf("%d px: %s", width, f)
		}
	}
}

func (i *inspection) look(ctx context.Context, width int64, screen, scheme string) {
	if err := chromedp.Run(ctx, screenOf(width), in(scheme)); err != nil {
		i.t.Fatalf("%d px, %s: %v", width, scheme, err)
	}
	for _, f := range i.see(ctx, scheme) {
		i.t.Errorf("%d px, %s: %s", width, scheme, f)
	}
	if dir := os.Getenv("DMPOOL_SCREENSHOTS"); dir != "" && i.shown(screen, scheme) {
		i.keep(ctx, width, filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s.png", i.name, screen, scheme, i.lang)))
	}
}

func screenOf(width int64) chromedp.Action {
	return emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500)
}

func in(scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	})
}

// see returns what is wrong with the page as it is now.
//
// In dark only those rules of axe are asked that look at colours, of which all
// others know nothing: TestDarkIsOnlyColours makes sure that the document and its
// layout are those of light. It is the same as to ask all, in half the time. Where the
// keyboard leads does not hang on the language, so that is gone through in one.
func (i *inspection) see(ctx context.Context, scheme string) []string {
	if scheme == "dark" {
		return i.faults(ctx, fmt.Sprintf(audit, `type: "rule", values: ["color-contrast", "link-in-text-block"]`))
	}
	all := `type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	list := slices.Concat(i.faults(ctx, fmt.Sprintf(audit, all)), i.faults(ctx, sideways))
	if i.lang == english {
		list = append(list, i.faults(ctx, lost)...)
	}
	return list
}

// faults runs a script that returns a list of faults, or the promise of one.
func (i *inspection) faults(ctx context.Context, script string) (list []string) {
	wait := func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams { return p.WithAwaitPromise(true) }
	if err := chromedp.Run(ctx, chromedp.Evaluate(script, &list, wait)); err != nil {
		i.t.Fatal(err)
	}
	return list
}

// audit asks axe, which also measures targets (at least 24 px, or as far from the
// next).
const audit = `axe.run(document, {runOnly: {%s}, resultTypes: ["violations"]}).then((r) =>
	r.violations.flatMap((v) => v.nodes.map((n) => v.id + " at " + n.target.join(" ") + ": " + n.failureSummary)))`

const sideways = `(({scrollWidth: page, clientWidth: window}) =>
	page > window ? ["the page is " + page + " px wide in a window of " + window] : [])(document.documentElement)`

// lost goes through all that takes the keyboard, down the page and up again, and
// tells what shows no focus, and what lies under a bar that stays in place.
const lost = `(() => {
	const faults = new Set(), y = scrollY;
	const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
		.filter((el) => !el.disabled && el.checkVisibility({visibilityProperty: true}));
	for (const el of [...all, ...all.reverse()]) {
		el.focus({focusVisible: true});
		const name = el.tagName.toLowerCase() + " \"" + (el.textContent.trim() || el.name).slice(0, 40) + "\"";
		if (document.activeElement !== el) { faults.add(name + " takes no focus"); continue; }
		const {outlineStyle, outlineWidth} = getComputedStyle(el);
		if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) faults.add(name + " shows no focus");
		const box = el.getClientRects()[0], x = (box.left + box.right) / 2;
		for (const y of [box.top + 1, box.bottom - 1]) {
			if (box.height > innerHeight / 2 || el.tagName === "TEXTAREA") continue; // of which the caret is in sight
			const over = document.elementFromPoint(x, y)?.closest(".top, .main-menu");
			if (y < 0 || y > innerHeight) faults.add(name + " is out of sight when it has the focus");
			else if (over && !over.contains(el)) faults.add(name + " has the focus under " + over.className);
		}
	}
	document.activeElement.blur();
	scrollTo(0, y);
	return [...faults];
})()`

// shown says which of the many pictures are worth keeping: all screens and schemes
// in English, and the desktop in light for the other languages.
func (i *inspection) shown(screen, scheme string) bool {
	if os.Getenv("DMPOOL_SCREENSHOTS_ALL") != "" {
		return true
	}
	if screen == "small" || !i.picture {
		return false
	}
	return i.lang == english || scheme == "light"
}

// keep writes a picture of the whole page, in a window as high as that: what stays
// at the window's edge is at the page's.
func (i *inspection) keep(ctx context.Context, width int64, file string) {
	var height float64
	var picture []byte
	if err := chromedp.Run(ctx, chromedp.Evaluate(`document.documentElement.scrollHeight`, &height)); err != nil {
		i.t.Fatal(err)
	}
	whole := emulation.SetDeviceMetricsOverride(width, int64(height), 1, width < 500)
	if err := chromedp.Run(ctx, whole, chromedp.CaptureScreenshot(&picture), screenOf(width)); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		i.t.Fatal(err)
	}
}
