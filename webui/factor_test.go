package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// withFactor is a golden box whose operator has a second factor.
func withFactor() *golden {
	g := newGolden()
	g.safe.on, g.safe.codes = true, 7
	return g
}

// firstStep posts name and password, and returns the answer with the form token.
func (w *visit) firstStep(t *testing.T, next string) (answer, string) {
	t.Helper()
	token := hidden(t, w.get("/login").body, "token")
	return w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {token}, "next": {next}}), token
}

// ASVS 6.3.3: the password alone starts no session, the code does.
func TestLoginInTwoSteps(t *testing.T) {
	for name, code := range map[string]string{"code": goldenCode, "recovery code": goldenRecovery} {
		t.Run(name, func(t *testing.T) {
			w := open(t, withFactor())
			first, token := w.firstStep(t, "/payouts/42")
			if first.StatusCode != http.StatusOK || countSessions(t, w) != 0 || w.signedIn() {
				t.Fatalf("status %d, %d sessions after the password", first.StatusCode, countSessions(t, w))
			}
			checkPage(t, first.body)
			if strings.Contains(first.body, password) || first.Header.Get("Cache-Control") != "no-store" || !strings.Contains(first.body, `autocomplete="one-time-code"`) {
				t.Error("the second form is kept, has the password, or does not take codes")
			}
			form := url.Values{"token": {token}, "half": {hidden(t, first.body, "half")}, "next": {"/payouts/42"}, "code": {"000000"}}
			wrong := w.do(http.MethodPost, "/login/code", form)
			if wrong.StatusCode != http.StatusUnauthorized || !strings.Contains(wrong.body, "does not match") || countSessions(t, w) != 0 {
				t.Errorf("wrong code: status %d", wrong.StatusCode)
			}
			checkPage(t, wrong.body)
			form.Set("code", code)
			right := w.do(http.MethodPost, "/login/code", form)
			if right.StatusCode != http.StatusSeeOther || right.Header.Get("Location") != "/payouts/42" || !w.signedIn() {
				t.Errorf("right code: status %d to %q", right.StatusCode, right.Header.Get("Location"))
			}
		})
	}
}

// ASVS 2.3.1: the second step cannot be come by without the first.
func TestHalfLoginCannotBeMadeUp(t *testing.T) {
	w := open(t, withFactor())
	first, token := w.firstStep(t, "/")
	half := hidden(t, first.body, "half")
	post := func(w *visit, token, half string) int {
		return w.do(http.MethodPost, "/login/code", url.Values{"token": {token}, "half": {half}, "code": {goldenCode}}).StatusCode
	}
	other := open(t, withFactor())
	otherToken := hidden(t, other.get("/login").body, "token")
	for name, got := range map[string]int{
		"nothing":         post(w, token, ""),
		"another MAC":     post(w, token, "x"+half),
		"another content": post(w, token, half+"x"),
		"no form token":   post(w, "", half),
		"another browser": post(other, otherToken, half),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, got)
		}
	}
	w.clock.add(halfLife + time.Second)
	if got := post(w, token, half); got != http.StatusForbidden {
		t.Errorf("too late: status %d", got)
	}
	if countSessions(t, w) != 0 {
		t.Error("a session was started")
	}
}

// ASVS 16.5.3: what cannot be checked lets nobody in, and the page says what to do.
func TestUnreadableFactorLetsNobodyIn(t *testing.T) {
	g := withFactor()
	g.safe.fail = refused("The second factor cannot be read.")
	w := open(t, g)
	first, token := w.firstStep(t, "/")
	resp := w.do(http.MethodPost, "/login/code", url.Values{"token": {token}, "half": {hidden(t, first.body, "half")}, "code": {goldenCode}})
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "cannot be read") || w.signedIn() {
		t.Errorf("status %d", resp.StatusCode)
	}
	checkPage(t, resp.body)
}

// ASVS 7.5.1, 14.3.2: setting up takes the password, and the secret is in one answer.
func TestEnrolment(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.token()
	for _, proof := range []string{"", "guess"} {
		resp := w.do(http.MethodPost, "/factor", url.Values{"token": {token}, "password": {proof}})
		if resp.StatusCode != http.StatusUnprocessableEntity || strings.Contains(resp.body, goldenSecret[:4]) || w.box.safe.proposed {
			t.Errorf("password %q: status %d", proof, resp.StatusCode)
		}
		checkPage(t, resp.body)
	}
	shown := w.do(http.MethodPost, "/factor", url.Values{"token": {token}, "password": {password}})
	if shown.StatusCode != http.StatusOK || !strings.Contains(shown.body, "GEZD GNBV GY3T") || !strings.Contains(shown.body, `<path d="M`) || shown.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, Cache-Control %q", shown.StatusCode, shown.Header.Get("Cache-Control"))
	}
	checkPage(t, shown.body)
	wrong := w.do(http.MethodPost, "/factor/confirm", url.Values{"token": {token}, "code": {"000000"}})
	if wrong.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, "does not match the secret") || !strings.Contains(wrong.body, "GEZD GNBV") {
		t.Errorf("wrong code: status %d", wrong.StatusCode)
	}
	checkPage(t, wrong.body)
	before := w.sessionCookie().Value
	codes := w.do(http.MethodPost, "/factor/confirm", url.Values{"token": {token}, "code": {goldenCode}})
	if codes.StatusCode != http.StatusOK || !strings.Contains(codes.body, goldenRecovery) || codes.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("right code: status %d", codes.StatusCode)
	}
	checkPage(t, codes.body)
	if w.sessionCookie().Value == before || !w.signedIn() || hidden(t, codes.body, "token") != w.token() {
		t.Error("the browser that did it does not go on in a new session")
	}
	kept := url.Values{"token": {w.token()}, "next": {"/wallet"}, "code": {"WRON-GCOD-E000-0000"}}
	again := w.do(http.MethodPost, "/factor/kept", kept)
	if again.StatusCode != http.StatusUnprocessableEntity || strings.Contains(again.body, goldenRecovery) || !strings.Contains(again.body, `name="next" value="/wallet"`) {
		t.Errorf("a code that is none of them: status %d", again.StatusCode)
	}
	checkPage(t, again.body)
	kept.Set("code", goldenRecovery)
	if resp := w.do(http.MethodPost, "/factor/kept", kept); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/wallet" {
		t.Errorf("one of them: status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if page := w.get("/sessions").body; strings.Contains(page, goldenRecovery) || strings.Contains(page, goldenSecret) {
		t.Error("the codes, or the secret, are shown again")
	}
	late := w.do(http.MethodPost, "/factor/confirm", url.Values{"token": {w.token()}, "code": {goldenCode}})
	if late.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(late.body, "begin again") {
		t.Errorf("a second time: status %d", late.StatusCode)
	}
}

// ASVS 7.5.1: one of the two is not enough to get rid of the other.
func TestRemovingTakesBoth(t *testing.T) {
	for _, path := range []string{"/factor/remove", "/factor/codes"} {
		w := open(t, newGolden())
		w.signIn()
		w.box.safe.on, w.box.safe.codes = true, 3
		token := w.token()
		for name, form := range map[string]url.Values{
			"password alone": {"password": {password}},
			"code alone":     {"code": {goldenCode}},
			"code twice":     {"password": {goldenCode}, "code": {goldenCode}},
			"wrong password": {"password": {"guess"}, "code": {goldenCode}},
		} {
			form.Set("token", token)
			resp := w.do(http.MethodPost, path, form)
			if resp.StatusCode != http.StatusUnprocessableEntity || !w.box.safe.on || !strings.Contains(resp.body, "or the code, is wrong") {
				t.Errorf("%s with %s: status %d", path, name, resp.StatusCode)
			}
			checkPage(t, resp.body)
		}
		before := w.sessionCookie().Value
		resp := w.do(http.MethodPost, path, url.Values{"token": {token}, "password": {password}, "code": {goldenRecovery}})
		switch path {
		case "/factor/remove":
			if resp.StatusCode != http.StatusSeeOther || w.box.safe.on || w.sessionCookie().Value == before {
				t.Errorf("removed: status %d", resp.StatusCode)
			}
		default:
			if resp.StatusCode != http.StatusOK || !strings.Contains(resp.body, "FRES-HCOD") {
				t.Errorf("new codes: status %d", resp.StatusCode)
			}
		}
	}
}

// ASVS 7.5.3: a payout is approved with the password or with a code; a password is
// changed with the password only.
func TestCodeProvesThePerson(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.safe.on = true
	page := w.get("/payouts/42").body
	form := url.Values{"token": {hidden(t, page, "token")}, "rev": {hidden(t, page, "rev")}, "digest": {hidden(t, page, "digest")}, "total": {"1222300"}, "password": {goldenCode}}
	if resp := w.do(http.MethodPost, "/payouts/42/approve", form); resp.StatusCode != http.StatusSeeOther || len(w.box.approved) != 1 || w.box.approved[0].Method != "code" {
		t.Errorf("approved by code: status %d, %+v", resp.StatusCode, w.box.approved)
	}
	w.clock.add(time.Minute)
	change := url.Values{"token": {w.token()}, "password": {goldenCode}, "new": {"Another horse 8"}, "again": {"Another horse 8"}}
	if resp := w.do(http.MethodPost, "/people/password", change); resp.StatusCode != http.StatusUnprocessableEntity || len(w.box.moved) != 0 {
		t.Errorf("password changed by code: status %d", resp.StatusCode)
	}
	if resp := w.command("/api/payments/broadcast/42", "k", map[string]any{"rev": 3, "digest": strings.Repeat("5a", 32), "total_sats": 1_222_300, "code": "000000"}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("API with a wrong code: status %d", resp.StatusCode)
	}
}

// Before there is a second factor that sending takes, the pages say so where
// something could be sent, and offer nothing that would be refused.
func TestFactorToSend(t *testing.T) {
	g := newGolden()
	g.safe.needed = true
	w := open(t, g)
	w.signIn()
	for _, path := range []string{"/", "/payouts/42"} {
		page := w.get(path).body
		checkPage(t, page)
		if !strings.Contains(page, `href="/sessions#factor"`) || strings.Contains(page, `action="/payouts/42/approve"`) {
			t.Errorf("%s does not lead to the second factor", path)
		}
	}
	g.safe.on = true
	page := w.get("/payouts/42").body
	if !strings.Contains(page, `action="/payouts/42/approve"`) || !strings.Contains(spoken(page), "Your password, or a code") {
		t.Error("with a second factor, there is no form")
	}
	form := url.Values{"token": {w.token()}, "rev": {"3"}, "digest": {g.payout.Digest}, "total": {"1222300"}, "password": {"guess"}}
	if resp := w.do(http.MethodPost, "/payouts/42/approve", form); !strings.Contains(resp.body, "the password, or the code, is wrong") {
		t.Error("what was wrong was not said")
	}
}

// The way from the set-up leads past the offer of a second factor, which can wait.
func TestOfferFactor(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for asked, want := range map[string]string{"/factor?next=/wallet": "/wallet", "/factor": "/sessions", "/factor?next=//evil.example": "/sessions"} {
		page := w.get(asked).body
		checkPage(t, page)
		if !strings.Contains(page, `name="next" value="`+want+`"`) || !strings.Contains(page, `href="`+want+`"`) {
			t.Errorf("%s does not lead to %s", asked, want)
		}
	}
	shown := w.do(http.MethodPost, "/factor", url.Values{"token": {w.token()}, "password": {password}, "next": {"/wallet"}})
	if !strings.Contains(shown.body, `name="next" value="/wallet"`) {
		t.Error("the way on is lost")
	}
	w.box.safe.on = true
	if resp := w.get("/factor?next=/wallet"); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/wallet" {
		t.Errorf("offered again: status %d", resp.StatusCode)
	}
}

// The recovery codes of a second factor that is in force are shown whatever has
// happened to the session meanwhile: nobody could show them again.
func TestCodesAreShownInAnyCase(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.token()
	w.do(http.MethodPost, "/factor", url.Values{"token": {token}, "password": {password}})
	w.box.safe.again = time.Second // somebody sets another password at this moment
	codes := w.do(http.MethodPost, "/factor/confirm", url.Values{"token": {token}, "code": {goldenCode}})
	if codes.StatusCode != http.StatusOK || !strings.Contains(codes.body, goldenRecovery) || !strings.Contains(codes.body, "so you are signed out here") {
		t.Errorf("status %d: %s", codes.StatusCode, codes.body)
	}
	checkPage(t, codes.body)
	if strings.Contains(codes.body, "/factor/") || codes.Header.Get("Cache-Control") != "no-store" || w.signedIn() {
		t.Error("there are forms of a session that is over, the page is kept, or somebody is signed in")
	}
}

// So it is with a second factor that is switched off, which shows nothing.
func TestRemovedInAnyCase(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	w.box.safe.on, w.box.safe.again = true, time.Second
	form := url.Values{"token": {w.token()}, "password": {password}, "code": {goldenCode}}
	if resp := w.do(http.MethodPost, "/factor/remove", form); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/login" {
		t.Errorf("status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// ASVS 7.4.3: the forms that change how somebody comes in ask about the tokens of
// their scripts, if there are any.
func TestFormsAskAboutTokens(t *testing.T) {
	for _, tick := range []bool{false, true} {
		w := open(t, newGolden())
		w.signIn()
		const box = `name="revoke"`
		begin := func() string {
			return w.do(http.MethodPost, "/factor", url.Values{"token": {w.token()}, "password": {password}}).body
		}
		if strings.Contains(w.get("/people").body+begin(), box) {
			t.Error("asked without a token")
		}
		w.readToken()
		for name, page := range map[string]string{"people": w.get("/people").body, "factor": begin()} {
			if checkPage(t, page); strings.Count(page, box) != 1 || strings.Contains(page, box+` checked`) || !strings.Contains(page, "Revoke the token of my script, too") {
				t.Errorf("%s does not ask", name)
			}
		}
		with := func(form url.Values) url.Values {
			form.Set("token", w.token())
			if tick {
				form.Set("revoke", "yes")
			}
			return form
		}
		w.do(http.MethodPost, "/people/password", with(url.Values{"password": {password}, "new": {"Another horse 9"}, "again": {"Another horse 9"}}))
		if n := len(w.box.moved); n == 0 || w.box.moved[n-1].Revoke != tick {
			t.Errorf("password: %+v", w.box.moved)
		}
		w.do(http.MethodPost, "/factor/confirm", with(url.Values{"code": {goldenCode}}))
		if !w.box.safe.on || w.box.safe.revoked != tick {
			t.Errorf("factor on: %+v", w.box.safe)
		}
		if page := w.get("/sessions").body; strings.Count(page, box) != 1 {
			t.Error("switching off does not ask")
		}
		w.do(http.MethodPost, "/factor/remove", with(url.Values{"password": {password}, "code": {goldenCode}}))
		if w.box.safe.on || w.box.safe.revoked != tick {
			t.Errorf("factor off: %+v", w.box.safe)
		}
	}
}
