package webui

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// routesOfReference are all routes as the page shows them.
func routesOfReference(t *testing.T, s *site) (list []apiRoute) {
	t.Helper()
	for _, g := range s.described {
		if len(g.Routes) == 0 {
			t.Errorf("the group %s is empty", g.Name)
		}
		list = append(list, g.Routes...)
	}
	return list
}

// The page has every route once, for everybody, in both languages, with an example
// that calls the box as the reader does.
func TestReference(t *testing.T) {
	w := open(t, newGolden())
	for _, lang := range []string{english, chinese} {
		got := w.get("/reference?lang=" + lang)
		checkPage(t, got.body)
		if got.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d", lang, got.StatusCode)
		}
		for _, r := range routesOfReference(t, w.site) {
			if n := strings.Count(got.body, ` id="`+r.ID+`"`); n != 1 {
				t.Errorf("%s: %s %s stands there %d times", lang, r.Method, r.Path, n)
			}
			if r.Who == "" || r.Summary == "" || r.PerMinute == 0 || r.Status == "" || r.Answer == "" {
				t.Errorf("%s %s is not told of: %+v", r.Method, r.Path, r)
			}
		}
		if want := "curl -H &#39;Authorization: Bearer TOKEN&#39; -H &#39;Idempotency-Key: MADE-UP&#39; --json @command.json " + w.url + "/api/payments/cancel/ID"; !strings.Contains(got.body, want) {
			t.Errorf("%s: no %s", lang, want)
		}
	}
	overTLS := w.overTLS().get("/reference")
	if !strings.Contains(overTLS.body, "curl https://") {
		t.Error("over TLS the examples do not begin with https")
	}
}

// Who may call is what the server does: nobody else gets more than a refusal that
// the page names.
func TestReferenceTellsWhoMayAsk(t *testing.T) {
	for _, r := range routesOfReference(t, mustSite(t, newGolden())) {
		w := open(t, newGolden())
		_, path := fillIn("GET " + r.Path)
		got := w.do(r.Method, path, nil)
		open := r.Who == "anyone" || r.Who == "sign_in"
		if signedOut := got.StatusCode == http.StatusUnauthorized; signedOut == open {
			t.Errorf("%s %s is for %s, and a stranger gets %d", r.Method, r.Path, r.Who, got.StatusCode)
		}
		if ok := fmt.Sprint(got.StatusCode) == r.Status; !ok && !slices.Contains(r.Errors, got.StatusCode) {
			t.Errorf("%s %s: a stranger gets %d, the page tells of %s and %v", r.Method, r.Path, got.StatusCode, r.Status, r.Errors)
		}
		if r.Who == "readers" || r.Who == "operators" {
			w.signIn()
			token := w.readToken()
			got := w.do(r.Method, path, nil, func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+token); q.Header.Del("Cookie") })
			if looks := got.StatusCode != http.StatusForbidden; looks != (r.Who == "readers") {
				t.Errorf("%s %s is for %s, and a token that may look gets %d", r.Method, r.Path, r.Who, got.StatusCode)
			}
		}
	}
}

// Whatever is wrong with a request, the page has told of it.
func TestReferenceTellsOfErrors(t *testing.T) {
	wrong := strings.NewReplacer("{address}", "nonsense", "{hash}", "nonsense", "{id}", "nonsense", "{height}", "nonsense", "{worker}", "nonsense", "{session}", "nonsense", "{tag}", "nonsense")
	for _, r := range routesOfReference(t, mustSite(t, newGolden())) {
		w := open(t, newGolden())
		w.signIn()
		var got answer
		if path := wrong.Replace(r.Path); r.Method == http.MethodGet {
			got = w.get(path + "?limit=nonsense&range=nonsense&page=nonsense")
		} else {
			got = w.command(path, "", map[string]any{"nonsense": 1})
		}
		if fmt.Sprint(got.StatusCode) != r.Status && !slices.Contains(r.Errors, got.StatusCode) {
			t.Errorf("%s %s: %d, which is not among %v", r.Method, r.Path, got.StatusCode, r.Errors)
		}
	}
}

// A shape has fields in the order of the file, nested ones in their place, and what
// may be null or missing.
func TestShape(t *testing.T) {
	text := &schema{Type: kinds{"string"}}
	d := &apiDoc{}
	d.Components.Schemas = map[string]schema{"Worker": {
		Type: kinds{"object"}, Required: []string{"name"},
		Properties: properties{{"name", *text}, {"best", schema{Type: kinds{"number", "null"}, Description: "ever"}}},
	}}
	got := d.shape(schema{
		Type: kinds{"object"}, Required: []string{"at", "workers", "sums"},
		Properties: properties{
			{"at", schema{Type: kinds{"string"}, Format: "date-time"}},
			{"workers", schema{Type: kinds{"array", "null"}, Items: &schema{Ref: "#/components/schemas/Worker"}}},
			{"sums", schema{Type: kinds{"object"}, Others: others{&schema{Type: kinds{"integer"}}}}},
			{"how", schema{Type: kinds{"string"}, Enum: []string{"fast", "slow"}}},
		},
	})
	want := `{
  "at": time,
  "workers": [
    {
      "name": string,
      "best": number or null  // ever; may be left out
    }
  ] or null,
  "sums": {
    NAME: integer
  },
  "how": fast or slow  // may be left out
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
