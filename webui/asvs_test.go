package webui

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// asvs says where each demand of the OWASP Application Security Verification
// Standard 5.0 that web.md, section 4, takes on is shown: the tests of this
// package, or of another with its folder in front. TestASVS sees to it that they
// are there.
var asvs = []struct{ id, what, tests string }{
	{"1.2.1", "text of strangers stays text", "TestHostileTextIsText TestMinersTextIsText TestAuditPage"},
	{"1.2.10", "an export starts no formula", "TestInert TestAuditExport TestWorkersCSV"},
	{"2.2.2", "the server checks every rule itself", "TestSettingsRefused TestChangePeople appliance.TestCheckPassword"},
	{"2.3.1", "no step is skipped or replayed", "TestHalfLoginCannotBeMadeUp TestApprove TestFault02OldPlan TestSetupFromWelcomeToLogin"},
	{"2.3.3", "a payout is one transaction", "TestFault01ClicksAtOnce TestUnwrittenOnRealNode"},
	{"2.3.4", "nothing is paid twice", "TestFault01ClicksAtOnce TestPaymentsReplayAtOnce"},
	{"2.4.1", "rates are limited", "TestRateLimits TestRateLimitHeaders TestBucketsAreApart TestTokenGuessesAreLimited"},
	{"3.2.1", "answers are what they say", "TestHeaders TestAuditExport"},
	{"3.2.2", "scripts write text, not markup", "TestScriptsAreHarmless"},
	{"3.3.1", "flags of cookies", "TestSessionCookie TestPagesOverTLS"},
	{"3.3.2", "flags of cookies", "TestSessionCookie TestPagesOverTLS"},
	{"3.3.3", "flags of cookies", "TestSessionCookie TestPagesOverTLS"},
	{"3.3.4", "flags of cookies", "TestSessionCookie TestPagesOverTLS"},
	{"3.4.1", "no HSTS, which would lock out with a certificate of one’s own: a deviation on purpose", "TestHeaders TestPagesOverTLS"},
	{"3.4.2", "no other site reads an answer unless the operator says so", "TestCORS TestHeaders TestSettingsThatOpenAreAskedTwice"},
	{"3.4.3", "content security policy", "TestHeaders"},
	{"3.4.4", "nosniff", "TestHeaders"},
	{"3.4.5", "referrer policy", "TestHeaders"},
	{"3.4.6", "no frames", "TestHeaders"},
	{"3.5.1", "no forged request", "TestForeignOrigin TestEveryPostRefusesForeignOrigins TestEveryPostNeedsItsToken"},
	{"3.5.3", "asking changes nothing", "TestMethods TestEveryPostNeedsItsToken"},
	{"3.5.4", "another app on this machine is a stranger", "TestForeignOrigin TestHost"},
	{"4.1.3", "nobody says from where they come", "TestRateLimits TestVisitorBehindProxy TestLimitsBehindProxy"},
	{"6.2.1", "length of passwords", "appliance.TestCheckPassword"},
	{"6.2.2", "passwords can be changed", "TestChangePeople"},
	{"6.2.3", "with the present one", "TestChangePeople TestCodeProvesThePerson"},
	{"6.2.4", "no common ones", "appliance.TestCheckPassword"},
	{"6.2.5", "kinds of characters: a deviation on purpose", "appliance.TestCheckPassword"},
	{"6.2.6", "typed unseen", "TestPasswordFields"},
	{"6.2.7", "pasting, managers, showing", "TestPasswordFields TestScriptsAreHarmless"},
	{"6.2.8", "compared as they are", "appliance.TestPasswordIsNotCut"},
	{"6.2.9", "64 characters and more", "appliance.TestPasswordIsNotCut appliance.TestCheckPassword"},
	{"6.3.1", "guessing is slowed down, nobody locked out", "appliance.TestGateSlowsGuessingAndNeverLocksOut appliance.TestStrangersDoNotLockOut appliance.TestWrongCodesAreThrottled"},
	{"6.3.2", "no account from the factory", "TestSetupFromWelcomeToLogin appliance.TestSetUpRefusals"},
	{"6.3.3", "a second factor", "TestLoginInTwoSteps appliance.TestMissingKeyDenies"},
	{"6.3.8", "nobody learns which names there are", "TestUnknownNamesLookAlike appliance.TestUnknownNameIsComparedToo"},
	{"6.4.1", "the first visitor needs a code of the box", "appliance.TestClaimCode appliance.TestPlainCode"},
	{"6.6.3", "and cannot guess it", "appliance.TestClaimGuessing appliance.TestClaimsRefill"},
	{"6.5.1", "a code does once", "TestOneCodeManyBrowsers appliance.TestOneUsePerStep appliance.TestLoginCode appliance.TestTOTPVectors"},
	{"7.3.1", "a session ends unused", "TestSessionEnds TestStay"},
	{"7.3.2", "and in any case", "TestSessionEnds TestStay"},
	{"7.4.1", "an old cookie opens nothing", "TestStreamsEndWithTheRight TestRemovedAtTheSameMoment TestSessionIsRevoked TestLogin TestLoginToken"},
	{"7.4.3", "another password or second factor ends sessions", "appliance.TestEnrolment appliance.TestRemoveFactor appliance.TestSetPassword appliance.TestTokensEnd TestFormsAskAboutTokens TestCodesAreShownInAnyCase TestOldPasswordStartsNoSession"},
	{"7.4.4", "a way out on each page", "TestSignOutIsOnEveryPage"},
	{"7.5.1", "proof before ways in change", "TestEnrolment TestRemovingTakesBoth TestChangePeople"},
	{"7.5.2", "one's sessions", "TestSessionsPage TestSessionsAreOnesOwn TestTokensAreOnesOwn"},
	{"7.5.3", "proof before money moves", "TestApprove TestCodeProvesThePerson TestPaymentsBroadcast"},
	{"8.2.1", "deny by default", "TestEveryRouteWithoutSession TestEveryRouteWithReadToken"},
	{"8.2.2", "one's own only", "TestSessionsAreOnesOwn TestTokensAreOnesOwn"},
	{"8.3.1", "the server decides", "TestEveryRouteWithoutSession TestEveryRouteWithReadToken"},
	{"11.4.2", "cost of a password's hash", "appliance.TestPasswordCost"},
	{"11.5.1", "what nobody guesses", "TestOnlyTheHashIsStored TestReadToken TestMadeUpTokens"},
	{"12.1.1", "TLS 1.2 or newer, where there is TLS", "appliance.TestStratumCertificate appliance.TestPageCertificateWantsTLS12"},
	{"12.2.1", "TLS for whoever wants it, plain http on a home network: a deviation on purpose", "TestPagesOverTLS TestPlainHTTPLine"},
	{"12.2.2", "a certificate of the box’s own, to be compared: a deviation on purpose", "appliance.TestPageCertificate TestCertificateFiles"},
	{"13.4.2", "nothing for debugging", "TestNoDebugging"},
	{"13.4.5", "nothing for monitoring that strangers can ask", "TestNoDebugging TestHealthForStrangers TestMetricsAccess"},
	{"14.2.1", "no secret in an address", "TestLoginToken TestEnrolment TestPaymentsReplayKeepsNoPassword"},
	{"14.3.2", "nothing is kept in caches", "TestCacheControl TestEnrolment TestReadToken"},
	{"14.3.3", "nothing is kept in the browser", "TestScriptsAreHarmless"},
	{"16.2.1", "who, what, when, where", "TestAuditPage appliance.TestFindAudit"},
	{"16.2.2", "in UTC", "TestAuditPage TestAuditExport"},
	{"16.3.1", "each login, right or wrong", "appliance.TestLogin appliance.TestFailuresAreCounted"},
	{"16.4.1", "nobody writes lines of their own", "TestReadToken appliance.TestAuditIsNoPlaceForWriting"},
	{"16.4.2", "a change to the log shows", "appliance.TestAuditProof appliance.TestAuditProofGoesOn"},
	{"16.5.1", "errors tell strangers nothing", "TestPanicIsAPage"},
	{"16.5.3", "what cannot be checked, or written down, is refused", "appliance.TestNothingIsDoneUnwritten TestUnwrittenIsNotDone TestUnreadableFactorLetsNobodyIn appliance.TestMissingKeyDenies TestHealthWithoutDatabase"},
}

func TestASVS(t *testing.T) {
	tests := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for prefix, dir := range map[string]string{"": ".", "appliance.": "../appliance"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range function.FindAllSubmatch(text, -1) {
				tests[prefix+string(m[1])] = true
			}
		}
	}
	seen := map[string]bool{}
	for _, row := range asvs {
		if seen[row.id] {
			t.Errorf("%s comes twice", row.id)
		}
		seen[row.id] = true
		for name := range strings.FieldsSeq(row.tests) {
			if !tests[name] {
				t.Errorf("%s, %s: there is no %s", row.id, row.what, name)
			}
		}
	}
}

// Scripts put no text together with markup, and keep nothing in the browser.
func TestScriptsAreHarmless(t *testing.T) {
	files, err := filepath.Glob("static/*.js")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "localStorage", "sessionStorage", "indexedDB", "document.cookie", "onpaste", `"paste"`, "http://", "https://"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %s", file, word)
			}
		}
	}
}

// Fields for secrets hide what is typed, say what they are for to a manager, and
// take what is pasted.
func TestPasswordFields(t *testing.T) {
	w := open(t, newGolden())
	pages := []string{w.get("/login").body}
	w.signIn()
	for _, path := range []string{"/people", "/sessions", "/payouts/42"} {
		pages = append(pages, w.get(path).body)
	}
	fields := 0
	for _, page := range pages {
		for _, e := range parseHTML(t, page) {
			name := e.attrs["name"]
			if e.name != "input" || name != "password" && name != "new" && name != "again" {
				continue
			}
			fields++
			want := "current-password"
			if name != "password" {
				want = "new-password"
			}
			if e.attrs["type"] != "password" || e.attrs["autocomplete"] != want || len(e.attrs["maxlength"]) < 3 || strings.Contains(page, "onpaste") {
				t.Errorf("field %v", e.attrs)
			}
		}
	}
	if fields < 8 {
		t.Errorf("only %d fields were seen", fields)
	}
}

// Whether there is somebody of a name cannot be seen from the answer.
func TestUnknownNamesLookAlike(t *testing.T) {
	bodies := map[string]string{}
	for _, user := range []string{"admin", "zelda"} {
		w := open(t, withFactor())
		token := hidden(t, w.get("/login").body, "token")
		resp := w.do(http.MethodPost, "/login", url.Values{"user": {user}, "password": {"guess"}, "token": {token}})
		body := strings.NewReplacer(hidden(t, resp.body, "token"), "", user, "").Replace(resp.body)
		bodies[user] = resp.Status + body
		_, resp = w.script().loginToken(map[string]any{"username": user, "password": "guess"})
		bodies[user] += resp.Status + resp.body
	}
	if bodies["admin"] != bodies["zelda"] {
		t.Error("the answers differ")
	}
}

func TestNoDebugging(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for _, path := range []string{"/debug/pprof/", "/debug/vars", "/.git/config", "/api/debug"} {
		if resp := w.get(path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
}
