package webui

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// phone shows the code of now for a secret as the page writes it (RFC 6238).
func phone(t *testing.T, secret string) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(secret, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30)
	sum := mac.Sum(nil)
	number := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

var (
	bigCode      = regexp.MustCompile(`big-code">([A-Z2-7 ]+)<`)
	listedCodes  = regexp.MustCompile(`<li>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</li>`)
	factorFields = []string{"user", "anna", "password", password, "again", password, "factor", "on"}
)

// secretOn returns the secret that a page shows, "" for none.
func secretOn(page string) string {
	if m := bigCode.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// codesOn returns the recovery codes that a page shows.
func codesOn(page string) (codes []string) {
	for _, m := range listedCodes.FindAllStringSubmatch(page, -1) {
		codes = append(codes, m[1])
	}
	return codes
}

// wantsFactor gets to the page of the second factor.
func (w *visit) wantsFactor(dir string) {
	w.t.Helper()
	w.claim(dir)
	w.say("start", "start", "new")
	if got := w.say("operator", factorFields...); got.Header.Get("Location") != "/setup/factor" {
		w.t.Fatalf("the login leads to %q", got.Header.Get("Location"))
	}
}

// press sends a form of the page that has only its token.
func (w *visit) press(path string, pairs ...string) answer {
	w.t.Helper()
	form := url.Values{"token": {hidden(w.t, w.get("/setup/factor").body, "token")}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return w.do(http.MethodPost, path, form)
}

func TestSetupWithSecondFactor(t *testing.T) {
	w, wizard, dir := openSetup(t)
	w.wantsFactor(dir)
	page := w.get("/setup/factor")
	checkPage(t, page.body)
	secret := secretOn(page.body)
	if secret == "" || !strings.Contains(page.body, "<svg") || page.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("the page has no secret, no QR code, or is kept: %s", page.body)
	}
	wrong := w.press("/setup/factor", "code", "12345")
	if wrong.StatusCode != http.StatusUnprocessableEntity || secretOn(wrong.body) != secret {
		t.Errorf("a wrong code: %d", wrong.StatusCode)
	}
	checkPage(t, wrong.body)
	if got := w.get("/setup/check"); got.Header.Get("Location") != "/setup/factor" {
		t.Errorf("past the second factor: %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	shown := w.press("/setup/factor", "code", phone(t, secret))
	checkPage(t, shown.body)
	lost := codesOn(shown.body)
	if len(lost) != 10 || shown.Header.Get("Cache-Control") != "no-store" || secretOn(shown.body) != "" {
		t.Fatalf("%d recovery codes, or the secret with them: %s", len(lost), shown.body)
	}
	if twice := w.press("/setup/factor", "code", phone(t, secret)); twice.Header.Get("Location") != "/setup/factor" {
		t.Errorf("the first code sent twice: %d", twice.StatusCode)
	}
	again := w.get("/setup/factor")
	checkPage(t, again.body)
	if secretOn(again.body) != "" || len(codesOn(again.body)) != 0 {
		t.Error("secret or codes are shown again")
	}
	codes := codesOn(w.press("/setup/factor/codes").body)
	none := w.press("/setup/factor/kept", "code", lost[0])
	if none.StatusCode != http.StatusUnprocessableEntity || len(codesOn(none.body)) != 0 {
		t.Errorf("a code that is no good any more: %d", none.StatusCode)
	}
	checkPage(t, none.body)
	if got := w.press("/setup/factor/kept", "code", strings.ToLower(codes[4])); got.Header.Get("Location") != "/setup/check" {
		t.Fatalf("a recovery code: %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	checkPage(t, w.get("/setup/factor").body)
	// The login may be changed, and the second factor stays.
	w.say("operator", "user", "berta", "password", "", "again", "", "factor", "on")
	for _, a := range goodAnswers()[2:] {
		w.say(a[0], a[1:]...)
	}
	if review := w.get("/setup/review"); !strings.Contains(review.body, "with a second factor") {
		t.Error("the review does not tell of the second factor")
	}
	if got := w.say("review"); got.Header.Get("Location") != "/login?next=%2Fconnect" {
		t.Fatalf("finish: %d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	<-wizard.Ended()
}

// Whoever does not want one after all goes on, from either half.
func TestSetupWithoutSecondFactorAfterAll(t *testing.T) {
	w, wizard, dir := openSetup(t)
	w.wantsFactor(dir)
	for _, half := range []string{"secret", "codes"} {
		if half == "codes" {
			w.say("operator", "user", "anna", "factor", "on")
			w.press("/setup/factor", "code", phone(t, secretOn(w.get("/setup/factor").body)))
		}
		if got := w.press("/setup/factor/skip"); got.Header.Get("Location") != "/setup/check" {
			t.Errorf("from the %s: %d to %q", half, got.StatusCode, got.Header.Get("Location"))
		}
		if d, err := wizard.Draft(t.Context()); err != nil || d.Factor != (appliance.FactorDraft{}) {
			t.Errorf("from the %s: %+v, %v", half, d.Factor, err)
		}
		if got := w.get("/setup/factor"); got.Header.Get("Location") != "/setup/check" {
			t.Errorf("the page afterwards: %d to %q", got.StatusCode, got.Header.Get("Location"))
		}
	}
	w.say("operator", "user", "anna", "factor", "on")
	first := secretOn(w.get("/setup/factor").body)
	if got := w.press("/setup/factor/anew"); got.Header.Get("Location") != "/setup/factor" || secretOn(w.get("/setup/factor").body) == first {
		t.Errorf("begun again: %d", got.StatusCode)
	}
	if got := w.say("operator", "user", "anna"); got.Header.Get("Location") != "/setup/check" { // without the tick
		t.Errorf("the tick taken away: %q", got.Header.Get("Location"))
	}
}

// The codes go into a file without a script, and nothing else does.
func TestRecoveryCodesAsFile(t *testing.T) {
	w, _, dir := openSetup(t)
	w.wantsFactor(dir)
	codes := codesOn(w.press("/setup/factor", "code", phone(t, secretOn(w.get("/setup/factor").body))).body)
	got := w.press("/setup/factor/file", "recovery", codes[0], "recovery", codes[1])
	if got.StatusCode != http.StatusOK || !strings.Contains(got.body, codes[0]+"\r\n"+codes[1]) || !strings.Contains(got.body, "anna") ||
		got.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d %v %s", got.StatusCode, got.Header, got.body)
	}
	if got := w.press("/setup/factor/file", "recovery", hostile); got.StatusCode != http.StatusBadRequest {
		t.Errorf("something else: %d %s", got.StatusCode, got.body)
	}
	box := open(t, newGolden())
	box.signIn()
	got = box.do(http.MethodPost, "/factor/file", url.Values{"token": {box.tokenOf()}, "recovery": {codes[2]}})
	if got.StatusCode != http.StatusOK || !strings.Contains(got.body, codes[2]) || !strings.Contains(got.body, "admin") {
		t.Errorf("of a box that is set up: %d %s", got.StatusCode, got.body)
	}
}

// Help is in the same place on each page, leads back, and needs no claim code.
func TestSetupHelp(t *testing.T) {
	w, _, dir := openSetup(t)
	link := regexp.MustCompile(`(?s)</ol>\s*<p class="wizard-help"><a href="(/setup/help\?from=\w+)"`)
	for _, step := range []string{"welcome", "start"} {
		m := link.FindStringSubmatch(w.get("/setup/" + step).body)
		if m == nil || m[1] != "/setup/help?from="+step {
			t.Fatalf("%s has no help at its place: %v", step, m)
		}
		help := w.get(m[1])
		checkPage(t, help.body)
		if !strings.Contains(help.body, "dmpool claim-code") || !strings.Contains(help.body, `href="/setup/`+step+`"`) {
			t.Errorf("help of %s: %s", step, help.body)
		}
		if step == "welcome" {
			w.claim(dir)
		}
	}
	if got := w.get("/setup/help?from=" + url.QueryEscape(hostile)); got.StatusCode != http.StatusOK || !strings.Contains(got.body, `href="/setup/welcome"`) {
		t.Errorf("from nowhere: %d", got.StatusCode)
	}
}
