package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestPeoplePage(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	page := w.get("/people").body
	for _, want := range []string{"bert", `<span class="badge">you</span>`, "/people/2/remove", "/people/1/remove", "the settings</a> can demand", "dmpool passwd --user admin"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	w.box.people, w.box.settings.SecondPersonAboveSat = w.box.people[:1], 5_000_000
	page = w.get("/people").body
	checkPage(t, page)
	if !strings.Contains(page, "needs two people, and there is only one") || strings.Contains(page, "/remove") {
		t.Error("the last operator can be removed, or is not told that payouts need two")
	}
}

func TestChangePeople(t *testing.T) {
	const fresh = "Another horse 8"
	admin, bert := operator{1, "admin"}, operator{2, "bert"}
	for name, tc := range map[string]struct {
		path   string
		form   url.Values // besides the token
		status int
		says   string // or where it leads
		want   peopleChange
	}{
		"add": {
			"/people",
			url.Values{"name": {"carl"}, "new": {fresh}, "again": {fresh}, "password": {password}},
			http.StatusSeeOther, "/people?done=add",
			peopleChange{Action: personAdd, Name: "carl", Password: fresh, Operator: admin},
		},
		"typed differently": {
			"/people",
			url.Values{"name": {"carl"}, "new": {fresh}, "again": {fresh + "8"}, "password": {password}},
			http.StatusUnprocessableEntity, "The two new passwords differ",
			peopleChange{},
		},
		"refused": {
			"/people",
			url.Values{"name": {"taken"}, "new": {fresh}, "again": {fresh}, "password": {password}},
			http.StatusUnprocessableEntity, `value="taken"`,
			peopleChange{},
		},
		"add with a wrong password": {
			"/people",
			url.Values{"name": {hostile}, "new": {fresh}, "again": {fresh}, "password": {"guess"}},
			http.StatusUnprocessableEntity, "your password is wrong",
			peopleChange{},
		},
		"add without a password": {
			"/people",
			url.Values{"name": {"carl"}, "new": {fresh}, "again": {fresh}},
			http.StatusUnprocessableEntity, "your password is wrong",
			peopleChange{},
		},
		"remove": {
			"/people/2/remove",
			url.Values{"name": {"bert"}, "password": {password}},
			http.StatusSeeOther, "/people?done=remove",
			peopleChange{Action: personRemove, Person: bert, Operator: admin},
		},
		"remove oneself": {
			"/people/1/remove",
			url.Values{"name": {"admin"}, "password": {password}},
			http.StatusSeeOther, "/login?out",
			peopleChange{Action: personRemove, Person: admin, Operator: admin},
		},
		"remove with a wrong password": {
			"/people/2/remove",
			url.Values{"name": {"bert"}, "password": {"guess"}},
			http.StatusUnprocessableEntity, "#remove-password-2",
			peopleChange{},
		},
		"remove who has another name now": {
			"/people/2/remove",
			url.Values{"name": {"berta"}, "password": {password}},
			http.StatusConflict, "nothing was done",
			peopleChange{},
		},
		"remove nobody": {
			"/people/x/remove",
			url.Values{"name": {"bert"}, "password": {password}},
			http.StatusNotFound, "",
			peopleChange{},
		},
		"own password": {
			"/people/password",
			url.Values{"new": {fresh}, "again": {fresh}, "password": {password}},
			http.StatusSeeOther, "/people?done=password",
			peopleChange{Action: personPassword, Password: fresh, Operator: admin},
		},
		"own password without the present one": {
			"/people/password",
			url.Values{"new": {fresh}, "again": {fresh}, "password": {fresh}},
			http.StatusUnprocessableEntity, "#own-password",
			peopleChange{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			tc.form.Set("token", w.token())
			before := w.sessionCookie().Value
			resp := w.do(http.MethodPost, tc.path, tc.form)
			if resp.StatusCode != tc.status || !strings.Contains(resp.body+resp.Header.Get("Location"), tc.says) {
				t.Fatalf("status %d, want %d; leads to %q; %s", resp.StatusCode, tc.status, resp.Header.Get("Location"), resp.body)
			}
			if strings.Contains(resp.body, fresh) || strings.Contains(resp.body, "guess") {
				t.Error("the page contains a password")
			}
			var did peopleChange
			if len(w.box.moved) == 1 {
				did = w.box.moved[0]
				did.IP = ""
			}
			if did != tc.want {
				t.Errorf("did %+v, want %+v", did, tc.want)
			}
			if tc.status != http.StatusSeeOther {
				checkPage(t, resp.body)
				return
			}
			if changed := w.sessionCookie().Value != before; changed != (tc.want.Action == personPassword) {
				t.Errorf("a new session: %v", changed)
			}
		})
	}
}
