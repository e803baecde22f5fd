package webui

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestCoreOnTheNodePage(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	core := &w.box.node.Core
	core.State, core.Text, core.Busy, core.Done, core.Total = "downloading", "Downloading Bitcoin Core 31.1.", true, 12_345_678, 48_000_000
	page := w.get("/node").body
	checkPage(t, page)
	for _, want := range []string{"Downloading Bitcoin Core 31.1.", "12 of 48 MB", `value="31.1"`, "30.3", "bitcoin-31.1-x86_64-linux-gnu.tar.gz", `enctype="multipart/form-data"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	w.box.node.Core = coreView{State: "failed", Text: "Bitcoin Core was not installed: " + hostile + ".", Choices: []string{"31.1"}}
	page = w.get("/node").body
	checkPage(t, page)
	if !strings.Contains(page, "was not installed") || strings.Contains(page, hostile) || strings.Contains(page, "have arrived") {
		t.Error("the page does not show the failure as it should")
	}
	w.box.node.Core = coreView{State: "idle", Elsewhere: true, Choices: []string{"31.1"}}
	page = w.get("/node").body
	checkPage(t, page)
	if strings.Contains(page, "/node/core") {
		t.Error("the page offers what would not be used")
	}
}

func TestGetCore(t *testing.T) {
	w := open(t, newGolden())
	form := url.Values{"version": {"31.1"}, "password": {password}}
	if resp := w.do(http.MethodPost, "/node/core", form); resp.StatusCode != http.StatusUnauthorized || len(w.box.ordered) > 0 {
		t.Errorf("without a session: status %d, %v", resp.StatusCode, w.box.ordered)
	}
	w.signIn()
	if resp := w.do(http.MethodPost, "/node/core", form); resp.StatusCode != http.StatusForbidden {
		t.Errorf("without the form's token: status %d", resp.StatusCode)
	}
	form.Set("token", w.token())
	form.Set("password", "wrong")
	resp := w.do(http.MethodPost, "/node/core", form)
	checkPage(t, resp.body)
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "the password is wrong") || len(w.box.ordered) > 0 {
		t.Errorf("with a wrong password: status %d, %v", resp.StatusCode, w.box.ordered)
	}
	form.Set("password", password)
	if resp := w.do(http.MethodPost, "/node/core", form); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/node#core" {
		t.Errorf("status %d, to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp := w.do(http.MethodPost, "/node/core/stop", url.Values{"token": {w.token()}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("stop: status %d", resp.StatusCode)
	}
	if want := []string{"31.1", "stop"}; !slices.Equal(w.box.ordered, want) {
		t.Errorf("ordered %v, want %v", w.box.ordered, want)
	}
}

// multipartForm makes a form with its parts in this order, as a browser sends it. The
// one called file is a file, and so is what begins with "file:".
func multipartForm(t *testing.T, parts ...string) func(*http.Request) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(parts); i += 2 {
		var err error
		part := io.Writer(nil)
		if name, isFile := strings.CutPrefix(parts[i], "file:"); isFile || parts[i] == "file" {
			part, err = form.CreateFormFile(name, "bitcoin.tar.gz")
		} else {
			part, err = form.CreateFormField(parts[i])
		}
		if err == nil {
			_, err = io.WriteString(part, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
		r.Header.Set("Content-Type", form.FormDataContentType())
	}
}

func TestUploadCore(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token, file := w.token(), strings.Repeat("release ", maxForm)
	tests := []struct {
		name   string
		form   func(*http.Request)
		status int
		taken  bool
	}{
		{"good", multipartForm(t, "token", token, "password", password, "file", file), http.StatusSeeOther, true},
		{"an empty file", multipartForm(t, "token", token, "password", password, "file", ""), http.StatusSeeOther, true},
		{"a wrong password", multipartForm(t, "token", token, "password", "wrong", "file", file), http.StatusUnprocessableEntity, false},
		{"no password", multipartForm(t, "token", token, "file", file), http.StatusUnprocessableEntity, false},
		{"a wrong token", multipartForm(t, "token", "x", "password", password, "file", file), http.StatusForbidden, false},
		{"the token behind the file", multipartForm(t, "password", password, "file", file, "token", token), http.StatusForbidden, false},
		{"no file", multipartForm(t, "token", token, "password", password), http.StatusForbidden, false},
		{"too many fields", multipartForm(t, "a", "", "b", "", "c", "", "d", "", "e", "", "f", "", "g", "", "token", token, "password", password, "file", file), http.StatusForbidden, false},
		{"another form", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("token=" + token))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, http.StatusForbidden, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.box.ordered = nil
			resp := w.do(http.MethodPost, uploadPath, nil, tt.form)
			if resp.StatusCode != tt.status || tt.taken != (len(w.box.ordered) == 1) {
				t.Errorf("status %d, %d taken, want %d, taken: %v", resp.StatusCode, len(w.box.ordered), tt.status, tt.taken)
			}
			if tt.status != http.StatusSeeOther {
				checkPage(t, resp.body)
			}
			if tt.taken && w.box.ordered[0] != file && w.box.ordered[0] != "" {
				t.Errorf("%d bytes arrived, want %d", len(w.box.ordered[0]), len(file))
			}
		})
	}

	w = open(t, newGolden()) // whose limits are fresh
	w.signIn()
	w.box.fail = refused("The file is not the published one.")
	resp := w.do(http.MethodPost, uploadPath, nil, multipartForm(t, "token", w.token(), "password", password, "file", file))
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "not the published one") {
		t.Errorf("a refused file: status %d", resp.StatusCode)
	}
}
