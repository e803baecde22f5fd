package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

// Requests that come between the wizard and the box wait for the box.
func TestFront(t *testing.T) {
	says := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	ended := make(chan struct{})
	f := newFront(says("wizard"), ended)
	ask := func(ctx context.Context) string {
		answer := httptest.NewRecorder()
		f.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
		return answer.Body.String()
	}
	if got := ask(t.Context()); got != "wizard" {
		t.Errorf("before: %q", got)
	}
	close(ended)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := ask(gone); got != "" {
		t.Errorf("a visitor who left got %q", got)
	}
	waiting := make(chan string)
	go func() { waiting <- ask(t.Context()) }()
	f.open(says("box"))
	if got := <-waiting; got != "box" {
		t.Errorf("in between: %q", got)
	}
	if got := ask(t.Context()); got != "box" {
		t.Errorf("after: %q", got)
	}
}

func TestClaimCodeCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	command := func() (string, int) {
		var out, bad bytes.Buffer
		code := run(t.Context(), []string{"claim-code", "--data-dir", dir}, strings.NewReader(""), &out, &bad)
		return out.String() + bad.String(), code
	}
	if text, code := command(); code != 1 || !strings.Contains(text, "start dmpool serve") {
		t.Errorf("without a box: %d %s", code, text)
	}
	w, err := appliance.NewWizard(t.Context(), appliance.Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}, "http://192.168.1.50:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	text, code := command()
	if code != 0 || !strings.Contains(text, w.Code().Code) || !strings.Contains(text, "http://192.168.1.50:8080/setup") || !strings.Contains(text, "█") {
		t.Errorf("%d %s", code, text)
	}
	if err := appliance.SetUp(t.Context(), dir, appliance.Answers{Operator: appliance.OperatorAnswer{Password: "Correct horse 7"}}); err != nil {
		t.Fatal(err)
	}
	if text, code := command(); code != 1 || !strings.Contains(text, "set up already") {
		t.Errorf("after the set-up: %d %s", code, text)
	}
}
