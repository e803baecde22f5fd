package ledger_test

import (
	"errors"
	"testing"

	"github.com/dmpool/dmpool/pool/ledger"
)

func TestSetAccountRule(t *testing.T) {
	l, _ := open(t)
	mine(t, l, 1)
	ctx := t.Context()
	rule := func(address string, least *int64, hold bool, actor string) error {
		return l.SetAccountRule(ctx, address, least, hold, actor)
	}
	half, negative, tooMuch := int64(50_000_000), int64(-1), int64(21e14+1)

	for name, err := range map[string]error{
		"negative": rule("alice", &negative, false, "ann"),
		"too much": rule("alice", &tooMuch, false, "ann"),
		"nobody":   rule("alice", &half, false, ""),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := rule("zoe", &half, false, "ann"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("rule for a stranger: %v, want ErrNotFound", err)
	}

	for _, err := range []error{
		rule("alice", &half, true, "ann"), rule("alice", &half, true, "bob"), // the second changes nothing
		rule("alice", nil, false, "bob"), rule("alice", &half, true, "ann"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	a, ok, err := l.Account(ctx, "alice")
	if err != nil || !ok || a.MinPayout != half || !a.Hold {
		t.Errorf("account %+v, %v, %v", a, ok, err)
	}

	entries, err := l.Events(ctx, ledger.EventFilter{Ref: "acct:101"}, 10)
	if err != nil || len(entries) != 3 {
		t.Fatalf("events %+v, %v, want 3", entries, err)
	}
	if e := entries[0]; e.Key != "acct:101:rule:3:min=50000000:hold=true" || e.Kind != ledger.KindRule || e.Actor != "ann" || len(e.Postings) != 0 {
		t.Errorf("event %+v", e)
	}
	if err := l.Check(ctx); err != nil {
		t.Error(err)
	}
}
