package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The pages show what there is, in both languages, and nothing that somebody has typed
// becomes markup.
func TestBackupPages(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for _, lang := range []string{english, chinese} {
		for path, wants := range map[string][]string{
			"/backup":        {"6 ", "/backup/42", "badge ok", "badge bad", "/mnt/&lt;script", "nas.local", "before=39", "dmpool backup restore"},
			"/backup/42":     {"dmpool-practice-20261122-060007.age", "c0ffee", "18 MB", "/backup/42/download"},
			"/backup/40":     {"&lt;script"},
			"/backup/places": {"SHA256:Qd6bqk", "02:00", "ReadWritePaths=-/mnt/&lt;script", "DMPOOL", "/media/dmpool/disk"},
		} {
			page := w.get(path + "?lang=" + lang)
			checkPage(t, page.body)
			for _, want := range wants {
				if !strings.Contains(page.body, want) {
					t.Errorf("%s in %s has no %q", path, lang, want)
				}
			}
			if strings.Contains(page.body, "<script>") {
				t.Errorf("%s in %s has the markup that was typed", path, lang)
			}
		}
	}
	if page := w.get("/backup/40").body; strings.Contains(page, "/backup/40/download") {
		t.Error("a backup that is nowhere can be downloaded")
	}
	for _, path := range []string{"/backup/1", "/backup/0", "/backup/-1", "/backup/x", "/backup/..%2f..%2fetc", "/backup/9999999999999999999"} {
		if resp := w.get(path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
	empty := open(t, newGolden().empty())
	empty.signIn()
	if page := empty.get("/backup").body; !strings.Contains(page, "/backup/places#passphrase-h") || strings.Contains(page, `action="/backup"`) {
		t.Error("a box without a passphrase does not ask for one first")
	}
	if page := empty.get("/backup/places").body; !strings.Contains(page, "abcde-fghij") {
		t.Error("a new box proposes no passphrase")
	}
}

// What is ordered about a backup is done for who has proved to be the operator only.
func TestBackupOrders(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	post := func(path string, form url.Values) answer {
		form.Set("token", w.token())
		return w.do(http.MethodPost, path, form)
	}
	if resp := post("/backup", url.Values{}); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/backup?done=create" {
		t.Errorf("create: status %d, %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	for form, want := range map[string]string{"verify": "verify 42", "remove": "remove 42 disk", "download": "open 42", "preview": "preview 42"} {
		w.clock.add(90e9)
		before := len(w.box.chest.ordered)
		wrong := post("/backup/42/"+form, url.Values{"password": {"guess"}, "place": {"disk"}})
		checkPage(t, wrong.body)
		if wrong.StatusCode != http.StatusUnprocessableEntity || len(w.box.chest.ordered) != before || !strings.Contains(wrong.body, `id="wrong"`) {
			t.Errorf("%s with a wrong password: status %d", form, wrong.StatusCode)
		}
		right := post("/backup/42/"+form, url.Values{"password": {password}, "place": {"disk"}})
		if got := w.box.chest.ordered[len(w.box.chest.ordered)-1]; right.StatusCode >= 400 || got != want {
			t.Errorf("%s: status %d, ordered %q, want %q", form, right.StatusCode, got, want)
		}
		switch form {
		case "download":
			if right.body != backupText || right.Header.Get("Content-Disposition") != `attachment; filename="dmpool-practice-20261122-060007.age"` {
				t.Errorf("downloaded %q as %s", right.body, right.Header.Get("Content-Disposition"))
			}
		case "preview":
			checkPage(t, right.body)
			for _, want := range []string{"90,211", "512,000", "dmpool backup restore /var/lib/dmpool/practice/backups/dmpool-practice-20261122-060007.age", "&lt;script"} {
				if !strings.Contains(right.body, want) {
					t.Errorf("the preview has no %q", want)
				}
			}
		}
	}
	w.clock.add(90e9)
	w.box.chest.refuses = refused("A backup is being made or checked at this moment; wait until that is done.")
	for path, form := range map[string]url.Values{"/backup": {}, "/backup/42/verify": {"password": {password}}} {
		if resp := post(path, form); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "wait until that is done") {
			t.Errorf("%s while busy: status %d", path, resp.StatusCode)
		}
	}
}

// The plan is changed by somebody who has proved to be the operator, and as it was on
// the screen.
func TestBackupPlanForms(t *testing.T) {
	tests := map[string]struct {
		path string
		form url.Values
		fine func(c planChange) bool
	}{
		"time":              {"time", url.Values{"time": {"03:25"}}, func(c planChange) bool { return *c.Time == 205 }},
		"no time":           {"time", url.Values{"time": {"25:00"}}, nil},
		"passphrase":        {"passphrase", url.Values{"passphrase": {"Planted-Secret-1"}, "passphrase_again": {"Planted-Secret-1"}}, func(c planChange) bool { return c.Passphrase == "Planted-Secret-1" }},
		"other passphrases": {"passphrase", url.Values{"passphrase": {"Planted-Secret-1"}, "passphrase_again": {"Planted-Secret-2"}}, nil},
		"no passphrase":     {"passphrase", url.Values{}, nil},
		"folder":            {"folder", url.Values{"folder": {" /mnt/nas "}}, func(c planChange) bool { return *c.Folder == "/mnt/nas" }},
		"no folder":         {"folder", url.Values{"folder": {""}}, func(c planChange) bool { return *c.Folder == "" }},
		"disk":              {"disk", url.Values{"disk": {"on"}}, func(c planChange) bool { return *c.Disk }},
		"no disk":           {"disk", url.Values{}, func(c planChange) bool { return !*c.Disk }},
		"no server":         {"no-server", url.Values{}, func(c planChange) bool { return c.Server.Address == "" }},
		"no revision":       {"disk", url.Values{"rev": {"x"}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			test.form.Set("token", w.token())
			if !test.form.Has("rev") {
				test.form.Set("rev", "3")
			}
			test.form.Set("password", "guess")
			if resp := w.do(http.MethodPost, "/backup/places/"+test.path, test.form); resp.StatusCode != http.StatusUnprocessableEntity || len(w.box.chest.changed) > 0 {
				t.Errorf("with a wrong password: status %d", resp.StatusCode)
			}
			w.clock.add(90e9)
			test.form.Set("password", password)
			resp := w.do(http.MethodPost, "/backup/places/"+test.path, test.form)
			if strings.Contains(resp.body, "Planted") {
				t.Error("what was typed is on the page")
			}
			if test.fine == nil {
				checkPage(t, resp.body)
				if resp.StatusCode != http.StatusUnprocessableEntity || len(w.box.chest.changed) > 0 {
					t.Errorf("status %d, %d changes", resp.StatusCode, len(w.box.chest.changed))
				}
				return
			}
			if resp.StatusCode != http.StatusSeeOther || len(w.box.chest.changed) != 1 || !test.fine(w.box.chest.changed[0]) || w.box.chest.changed[0].Operator.Name != "admin" {
				t.Errorf("status %d, changed %+v", resp.StatusCode, w.box.chest.changed)
			}
			w.clock.add(90e9)
			test.form.Set("rev", "2")
			if resp := w.do(http.MethodPost, "/backup/places/"+test.path, test.form); resp.StatusCode != http.StatusConflict {
				t.Errorf("an older revision: status %d", resp.StatusCode)
			}
		})
	}
}

// A server is shown with its fingerprint first, and taken when the operator has compared
// it and signs for it.
func TestBackupServer(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	key := w.box.chest.key
	form := url.Values{"token": {w.token()}, "address": {"nas.local"}, "user": {"box"}, "server_folder": {"backups"}}
	sheet := w.do(http.MethodPost, "/backup/places/server", form)
	checkPage(t, sheet.body)
	if sheet.StatusCode != http.StatusOK || !strings.Contains(sheet.body, key.Fingerprint) || !strings.Contains(sheet.body, w.box.chest.line) || strings.Contains(sheet.body, "another host key") {
		t.Fatalf("status %d: the sheet lacks the fingerprint or the box's key, or warns in vain", sheet.StatusCode)
	}
	if len(w.box.chest.changed) > 0 || !slices.Equal(w.box.chest.ordered, []string{"ask nas.local"}) {
		t.Errorf("to look has changed something: %+v, %v", w.box.chest.changed, w.box.chest.ordered)
	}
	form.Set("rev", "3")
	form.Set("host_key", key.Line)
	form.Set("sign", "password")
	form.Set("server_password", "Planted-Secret-1")
	confirm := func(change func(url.Values)) answer {
		w.clock.add(90e9)
		next := url.Values{}
		for k, v := range form {
			next[k] = v
		}
		change(next)
		resp := w.do(http.MethodPost, "/backup/places/server/confirm", next)
		if strings.Contains(resp.body, "Planted") {
			t.Error("the password is on the page")
		}
		return resp
	}
	for name, change := range map[string]func(url.Values){
		"without the password": func(f url.Values) { f.Set("compared", "yes") },
		"not compared":         func(f url.Values) { f.Set("password", password) },
		"without its key": func(f url.Values) {
			f.Set("password", password)
			f.Set("compared", "yes")
			f.Set("host_key", "nonsense")
		},
	} {
		if resp := confirm(change); resp.StatusCode != http.StatusUnprocessableEntity || len(w.box.chest.changed) > 0 {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	resp := confirm(func(f url.Values) { f.Set("password", password); f.Set("compared", "yes") })
	if resp.StatusCode != http.StatusSeeOther || len(w.box.chest.changed) != 1 {
		t.Fatalf("status %d, %+v", resp.StatusCode, w.box.chest.changed)
	}
	want := serverChange{"nas.local", "box", "backups", key.Line, true, "Planted-Secret-1"}
	if got := *w.box.chest.changed[0].Server; got != want {
		t.Errorf("took %+v, want %+v", got, want)
	}

	// Another key than the confirmed one is the loudest thing on the sheet.
	w.box.chest.plan.Server.Key.Line = "ssh-ed25519 AAAAother"
	w.clock.add(90e9)
	if page := w.do(http.MethodPost, "/backup/places/server", form).body; !strings.Contains(page, "another host key") {
		t.Error("a changed host key is not told")
	}
	w.clock.add(90e9)
	w.box.chest.refuses = refused("The server does not answer; look whether it is on, and whether address and port are right.")
	for _, path := range []string{"/backup/places/server", "/backup/places/server/try"} {
		if resp := w.do(http.MethodPost, path, form); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "does not answer") {
			t.Errorf("%s of a server that is off: status %d", path, resp.StatusCode)
		}
	}
}

// The API tells and orders the same; a password is asked for where something is lost.
func TestBackupAPI(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	if list := w.get("/api/backup/list").body; !strings.Contains(list, `"next_before":39`) || !strings.Contains(list, `"count":4`) || strings.Contains(list, "/var/lib") {
		t.Errorf("list: %s", list)
	}
	if resp := w.get("/api/backup/list?before=x"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("list before nonsense: status %d", resp.StatusCode)
	}
	for _, path := range []string{"/api/backup/1", "/api/backup/..%2f..%2f", "/api/backup/x"} {
		if resp := w.get(path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
	if resp := w.command("/api/backup/42/delete", "a", map[string]any{"password": "guess"}); resp.StatusCode != http.StatusForbidden || len(w.box.chest.ordered) > 0 {
		t.Errorf("delete with a wrong password: status %d", resp.StatusCode)
	}
	if resp := w.command("/api/backup/42/delete", "b", map[string]any{"password": password, "place": "server"}); resp.StatusCode != http.StatusOK {
		t.Errorf("delete: status %d, %s", resp.StatusCode, resp.body)
	}
	if resp := w.command("/api/backup/42/delete", "c", map[string]any{"password": password, "place": "disk"}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("delete where it is not: status %d", resp.StatusCode)
	}
	if resp := w.command("/api/backup/42/delete", "d", map[string]any{"password": password}); resp.StatusCode != http.StatusOK {
		t.Errorf("delete everywhere: status %d", resp.StatusCode)
	}
	want := []string{"remove 42 server", "remove 42 box", "remove 42 server"}
	if !slices.Equal(w.box.chest.ordered, want) {
		t.Errorf("ordered %q, want %q", w.box.chest.ordered, want)
	}
	if resp := w.command("/api/backup/42/restore", "e", map[string]any{"password": password}); resp.StatusCode != http.StatusOK || !strings.Contains(resp.body, "dmpool backup restore") || len(w.box.chest.ordered) != len(want) {
		t.Errorf("restore: status %d, %s", resp.StatusCode, resp.body)
	}
	if resp := w.command("/api/backup/cleanup", "f", nil); resp.StatusCode != http.StatusOK || !strings.Contains(resp.body, `"deleted_count":2`) {
		t.Errorf("cleanup: status %d, %s", resp.StatusCode, resp.body)
	}
}
