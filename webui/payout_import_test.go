package webui

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// cold is a box whose keys are elsewhere, with a payout that was handed out.
func cold(g *golden) *golden {
	g.payout.State, g.payout.Can = "approved", payoutCan{Export: true, Import: true}
	return g
}

// upload makes a form with a file, as a browser sends it.
func upload(t *testing.T, fields map[string]string, file []byte) func(*http.Request) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("file", "signed.psbt")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
		r.Header.Set("Content-Type", form.FormDataContentType())
	}
}

func TestExport(t *testing.T) {
	w := open(t, cold(newGolden()))
	w.box.payout.Can.Import = false
	w.signIn()
	page := w.get("/payouts/42").body
	checkPage(t, page)
	if !strings.Contains(page, "/payouts/42/export") || strings.Contains(page, "/payouts/42/import") {
		t.Error("the page does not offer to hand the transaction out first")
	}
	if resp := w.get("/payouts/42/psbt"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the file before it was handed out: status %d", resp.StatusCode)
	}
	form := url.Values{"token": {w.token()}, "rev": {"3"}, "password": {password}}
	if resp := w.do(http.MethodPost, "/payouts/42/export", form); resp.StatusCode != http.StatusSeeOther || len(w.box.changed) != 1 || w.box.changed[0].Action != actionExport {
		t.Errorf("export: status %d, %+v", resp.StatusCode, w.box.changed)
	}
	w.box.payout.Can.Import = true
	resp := w.get("/payouts/42/psbt")
	if resp.StatusCode != http.StatusOK || base64.StdEncoding.EncodeToString([]byte(resp.body)) != examplePSBT ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="payout-42.psbt"` || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, %q, %s", resp.StatusCode, resp.body, resp.Header.Get("Content-Disposition"))
	}
}

func TestImport(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(examplePSBT)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file   []byte
		fields map[string]string
		status int
		says   string
	}{
		"the file":            {raw, nil, http.StatusSeeOther, ""},
		"the text as a file":  {[]byte(examplePSBT + "\r\n"), nil, http.StatusSeeOther, ""},
		"the text":            {nil, map[string]string{"psbt": " " + examplePSBT[:4] + "\n" + examplePSBT[4:]}, http.StatusSeeOther, ""},
		"nothing":             {nil, nil, http.StatusUnprocessableEntity, "this is no signed transaction"},
		"another file":        {[]byte(hostile), nil, http.StatusUnprocessableEntity, "this is no signed transaction"},
		"other base64":        {nil, map[string]string{"psbt": "aGVsbG8="}, http.StatusUnprocessableEntity, "this is no signed transaction"},
		"wrong password":      {raw, map[string]string{"password": "guess"}, http.StatusUnprocessableEntity, "the password is wrong"},
		"old revision":        {raw, map[string]string{"rev": "2"}, http.StatusConflict, "nothing was done"},
		"no token":            {raw, map[string]string{"token": ""}, http.StatusForbidden, ""},
		"longer than allowed": {bytes.Repeat([]byte("x"), maxImport), nil, http.StatusForbidden, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, cold(newGolden()))
			w.signIn()
			page := w.get("/payouts/42").body
			checkPage(t, page)
			fields := map[string]string{"token": hidden(t, page, "token"), "rev": "3", "password": password}
			for key, value := range tc.fields {
				fields[key] = value
			}
			resp := w.do(http.MethodPost, "/payouts/42/import", url.Values{}, upload(t, fields, tc.file))
			if resp.StatusCode != tc.status || !strings.Contains(resp.body, tc.says) || len(w.box.imported) != btoi(tc.status == http.StatusSeeOther) {
				t.Fatalf("status %d, want %d; %d imports; %s", resp.StatusCode, tc.status, len(w.box.imported), resp.body)
			}
			if tc.status != http.StatusSeeOther {
				checkPage(t, resp.body)
				return
			}
			if f := w.box.imported[0]; f.PSBT != examplePSBT || f.ID != 42 || f.Rev != 3 || f.Operator.Name != "admin" {
				t.Errorf("imported %+v", f)
			}
		})
	}
}
