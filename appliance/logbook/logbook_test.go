package logbook_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/appliance/logbook"
)

func lines(records []logbook.Record) []string {
	var all []string
	for _, r := range records {
		line := r.Level.String() + " " + r.Part + ": " + r.Message
		for _, a := range r.Attrs {
			line += " " + a.Key + "=" + a.Value
		}
		all = append(all, line)
	}
	return all
}

// The log goes where it went before; the book has the same from Info on, whatever
// that log leaves out, with groups spelt out.
func TestBook(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	book := logbook.New(100)
	log := slog.New(book.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level})))

	log.Debug("Too small")
	log.Info("Block found", "height", 7)
	log.With("worker", "a.b").WithGroup("share").Warn("Odd", "diff", 1.5, slog.Group("job", "id", 3))
	want := []string{"INFO logbook_test: Block found height=7", "WARN logbook_test: Odd worker=a.b share.diff=1.5 share.job.id=3"}
	if diff := cmp.Diff(want, lines(book.Read(logbook.Filter{}, 10))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := out.String(); strings.Contains(text, "found") || !strings.Contains(text, "share.job.id=3") {
		t.Errorf("the log says %q", text)
	}

	changed := book.Changed()
	level.Set(slog.LevelDebug) // at run time
	log.Debug("Now it counts")
	select {
	case <-changed:
	default:
		t.Error("nobody heard of the new record")
	}
	for _, tc := range []struct {
		filter logbook.Filter
		want   int
	}{
		{logbook.Filter{Level: slog.LevelDebug}, 3},
		{logbook.Filter{}, 2},
		{logbook.Filter{Level: slog.LevelWarn}, 1},
		{logbook.Filter{Text: "BLOCK"}, 1},
		{logbook.Filter{Text: "worker=A.B"}, 1},
		{logbook.Filter{Part: "pool"}, 0},
	} {
		if got := book.Read(tc.filter, 10); len(got) != tc.want {
			t.Errorf("%+v: %v, want %d", tc.filter, lines(got), tc.want)
		}
	}
}

// The book keeps the newest records, in order, and counts all.
func TestRing(t *testing.T) {
	book := logbook.New(3)
	log := slog.New(book.Handler(slog.DiscardHandler))
	for i := range 8 {
		log.Info(fmt.Sprint(i))
	}
	want := []string{"INFO logbook_test: 5", "INFO logbook_test: 6", "INFO logbook_test: 7"}
	got := book.Read(logbook.Filter{}, 10)
	if diff := cmp.Diff(want, lines(got)); diff != "" || got[2].Seq != 8 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := book.Read(logbook.Filter{}, 1); len(got) != 1 || got[0].Message != "7" {
		t.Errorf("the newest is %v", lines(got))
	}
	if got := book.Parts(); len(got) != 1 || got[0] != "logbook_test" {
		t.Errorf("parts %v", got)
	}
}

// What sounds like a secret is not kept, however deep it is hidden.
func TestSecretsAreLeftOut(t *testing.T) {
	book := logbook.New(10)
	log := slog.New(book.Handler(slog.DiscardHandler))
	log.With("rpcPassword", "hunter2").Info("x", "Set-Cookie", "hunter2", slog.Group("wallet", "words", "hunter2", "seed", "hunter2"), "api_token", "hunter2")
	for _, line := range lines(book.Read(logbook.Filter{}, 10)) {
		if strings.Contains(line, "hunter2") || strings.Count(line, logbook.LeftOut) != 5 {
			t.Error(line)
		}
	}
}
