package webui

import (
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

// goldenPair is the golden certificate in PEM, for example.com.
func goldenPair(t *testing.T) (certificate, key string) {
	t.Helper()
	pair := goldenCertificate()
	raw, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// keptPages is the certificate of a box that is called example.com.
func keptPages(t *testing.T) *HTTPS {
	t.Helper()
	kept := appliance.NewPageCertificate(t.TempDir(), []string{"example.com"}, slog.New(slog.DiscardHandler))
	return &HTTPS{Port: 8443, Certificate: kept.Leaf, Keeper: kept}
}

// A certificate of one's own comes in with the password, is noted, and its key is on
// no page.
func TestCertificateOfOnesOwn(t *testing.T) {
	w := open(t, newGolden())
	w.site.https = keptPages(t)
	w.signIn()
	certificate, key := goldenPair(t)
	page := w.get("/certificate")
	checkPage(t, page.body)
	if strings.Contains(page.body, `action="/certificate/own"`) || !strings.Contains(page.body, "https://127.0.0.1:8443") {
		t.Errorf("before: %s", page.body)
	}
	token := hidden(t, page.body, "token")
	for _, c := range []struct {
		name, password, key string
		status              int
		want                string
	}{
		{"a wrong password", "wrong", key, http.StatusUnprocessableEntity, "Nothing was changed"},
		{"no key", password, "x", http.StatusUnprocessableEntity, "There is no key in the files"},
		{"good", password, key, http.StatusSeeOther, ""},
	} {
		got := w.do(http.MethodPost, "/certificate", nil, multipartForm(t, "token", token, "file:certificate", certificate, "file:key", c.key, "password", c.password))
		if got.StatusCode != c.status || !strings.Contains(got.body, c.want) || strings.Contains(got.body, "PRIVATE KEY-") {
			t.Fatalf("%s: %d %s", c.name, got.StatusCode, got.body)
		}
		if c.want != "" {
			checkPage(t, got.body)
		}
	}
	page = w.get("/certificate?done=import")
	checkPage(t, page.body)
	leaf, _ := w.site.https.Certificate()
	if !strings.Contains(page.body, appliance.Fingerprint(leaf)) || !strings.Contains(page.body, "one that you brought") {
		t.Errorf("after: %s", page.body)
	}
	got := w.do(http.MethodPost, "/certificate/own", map[string][]string{"token": {token}, "password": {password}})
	if got.Header.Get("Location") != "/certificate?done=own" || strings.Contains(w.get("/certificate").body, "one that you brought") {
		t.Errorf("given up: %d %s", got.StatusCode, got.body)
	}
	if got := w.do(http.MethodPost, "/certificate", map[string][]string{"token": {token}, "password": {password}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a form without files: %d", got.StatusCode)
	}
	w.site.https = nil
	if page := w.get("/certificate"); page.StatusCode != http.StatusOK || strings.Contains(page.body, "<form method=\"post\" action=\"/certificate") {
		t.Errorf("without TLS: %d", page.StatusCode)
	}
}

// The step about access says where the encrypted pages are and by what they are
// known, and takes a certificate, too.
func TestSetupCertificate(t *testing.T) {
	https := keptPages(t)
	w, _, dir := openSetupWith(t, Options{HTTPS: https})
	w.claim(dir)
	for _, a := range goodAnswers()[:7] {
		w.say(a[0], a[1:]...)
	}
	page := w.get("/setup/access")
	checkPage(t, page.body)
	leaf, _ := https.Certificate()
	if !strings.Contains(page.body, "https://127.0.0.1:8443") || !strings.Contains(page.body, appliance.Fingerprint(leaf)) {
		t.Errorf("the page says nothing of https: %s", page.body)
	}
	if got := w.get(pageCertificatePath); got.StatusCode != http.StatusOK || strings.Contains(got.body, "KEY") {
		t.Errorf("the certificate: %d", got.StatusCode)
	}
	certificate, key := goldenPair(t)
	token := hidden(t, page.body, "token")
	wrong := w.do(http.MethodPost, "/setup/certificate", nil, multipartForm(t, "token", token, "file:certificate", certificate, "file:key", certificate))
	if wrong.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, "no key in the files") {
		t.Errorf("no key: %d %s", wrong.StatusCode, wrong.body)
	}
	checkPage(t, wrong.body)
	form := multipartForm(t, "token", token, "file:certificate", certificate, "file:key", key)
	if got := w.do(http.MethodPost, "/setup/certificate", nil, form); got.Header.Get("Location") != "/setup/access#https-h" {
		t.Fatalf("good: %d %s", got.StatusCode, got.body)
	}
	page = w.get("/setup/access")
	checkPage(t, page.body)
	if !strings.Contains(page.body, "one that you brought") {
		t.Error("the page does not tell of it")
	}
	if got := w.do(http.MethodPost, "/setup/certificate/own", map[string][]string{"token": {token}}); got.StatusCode != http.StatusSeeOther || strings.Contains(w.get("/setup/access").body, "one that you brought") {
		t.Errorf("given up: %d", got.StatusCode)
	}
	if got := w.do(http.MethodPost, "/setup/certificate", nil, multipartForm(t, "token", "x", "file:certificate", certificate, "file:key", key)); got.StatusCode != http.StatusForbidden {
		t.Errorf("with another's token: %d", got.StatusCode)
	}
}
