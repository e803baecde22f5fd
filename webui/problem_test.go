package webui

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A request that the end of the server cuts short is not answered with an
// empty page that claims success.
func TestStoppingIsSaid(t *testing.T) {
	s := mustSite(t, newGolden())
	for path, kind := range map[string]string{"/observer": "text/html; charset=utf-8", "/api/health": "application/problem+json"} {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, http.NoBody)
		s.fail(rec, r, caller{Operator: operator{ID: 1, Name: "admin"}}, ctx.Err())
		body := rec.Body.String()
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Content-Type") != kind || !strings.Contains(body, "The pool is stopping.") {
			t.Errorf("%s: status %d, %s, body %s", path, rec.Code, rec.Header().Get("Content-Type"), body)
		}
		if path == "/observer" {
			checkPage(t, body)
		}
	}
}
