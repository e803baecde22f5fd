package webui

import (
	"io/fs"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func styleSheet(t *testing.T) string {
	t.Helper()
	raw, err := fs.ReadFile(staticFS, "static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(string(raw), "")
}

// Dark pages are light ones in other colours: the same document, laid out the same
// way. The style sheet tells the two apart by light-dark() alone, which stands only
// where there is a colour, and the choice of a reader only picks a side.
func TestDarkIsOnlyColours(t *testing.T) {
	sheet := styleSheet(t)
	if strings.Contains(sheet, "prefers-color-scheme") {
		t.Error("the style sheet has rules for dark alone")
	}
	for _, rule := range regexp.MustCompile(`\[data-theme[^{]*\{([^}]*)\}`).FindAllStringSubmatch(sheet, -1) {
		if !regexp.MustCompile(`^\s*color-scheme: (light|dark);\s*$`).MatchString(rule[1]) {
			t.Errorf("a choice of colours does more than that: %s", rule[0])
		}
	}
	colours := regexp.MustCompile(`^\s*(--(ground|card|well|ink|muted|line|accent|on-accent|ok|warn|bad|info|shadow|lifted)\b|color|background|border-color|box-shadow)`)
	for _, line := range regexp.MustCompile(`[^;{}]*light-dark\(`).FindAllString(sheet, -1) {
		if !colours.MatchString(line) {
			t.Errorf("something else than a colour hangs on the scheme: %s", strings.TrimSpace(line))
		}
	}
	entries, err := fs.ReadDir(staticFS, "static")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if raw, _ := fs.ReadFile(staticFS, "static/"+e.Name()); strings.Contains(string(raw), "matchMedia") {
			t.Errorf("%s asks for the scheme", e.Name())
		}
	}
	w := open(t, newGolden())
	bodies := map[string]string{}
	for _, theme := range []string{"light", "dark"} {
		page := w.get("/observer", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: themeCookie, Value: theme}) })
		_, body, found := strings.Cut(page.body, "<body")
		if !found {
			t.Fatal("no page")
		}
		bodies[theme] = regexp.MustCompile(` aria-pressed="(true|false)"`).ReplaceAllString(body, "")
	}
	if bodies["light"] != bodies["dark"] {
		t.Error("the dark page is another document")
	}
}

// What has to be seen but is no text stands out from what is behind it by 3 to 1:
// the edges of fields, the mark of the focus, the lines of charts (WCAG 1.4.11).
// Texts are measured in the browser.
func TestNonTextContrast(t *testing.T) {
	sheet := styleSheet(t)
	colour := func(name string, side int) float64 { // 1 is light, 2 is dark
		t.Helper()
		m := regexp.MustCompile(`--` + name + `: light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindStringSubmatch(sheet)
		if m == nil {
			t.Fatalf("--%s has no two colours", name)
		}
		return luminance(t, m[side])
	}
	for _, name := range []string{"line-strong", "accent-fill", "ok", "warn", "bad", "info"} {
		for _, ground := range []string{"ground", "card", "well"} {
			for side := 1; side <= 2; side++ {
				a, b := colour(name, side), colour(ground, side)
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 3 {
					t.Errorf("--%s on --%s has a contrast of %.2f on side %d", name, ground, ratio, side)
				}
			}
		}
	}
}

// luminance is that of WCAG, of "#rrggbb".
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift int) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

// Nothing moves for readers who ask for that.
func TestReducedMotion(t *testing.T) {
	sheet := styleSheet(t)
	at := strings.Index(sheet, "@media (prefers-reduced-motion: no-preference)")
	end := strings.Index(sheet, "@media print")
	if at < 0 || end < at {
		t.Fatal("the style sheet has no place for what moves")
	}
	for _, word := range []string{"transition", "animation", "scroll-behavior"} {
		if strings.Contains(sheet[:at]+sheet[end:], word) {
			t.Errorf("%s stands outside of that place", word)
		}
	}
}
