package appliance

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	minerAddress = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	otherNetwork = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	turned       = "abc\u202edef" // a mark that turns the direction
)

// named is a box whose people name and ban miners of signet.
func named(t *testing.T) *Appliance {
	t.Helper()
	a, _, _ := peopled(t)
	a.network = "signet"
	return a
}

func TestBans(t *testing.T) {
	a, ctx := named(t), t.Context()
	give := func(who Banned) {
		t.Helper()
		if err := a.Ban(ctx, Ban{Banned: who, Reason: " floods the pool ", Actor: "anna"}, "::1"); err != nil {
			t.Fatalf("ban %v: %v", who, err)
		}
	}
	give(Banned{Address: strings.ToUpper(minerAddress)})
	give(Banned{Address: minerAddress, Worker: "<script>"})
	give(Banned{Network: "192.168.1.77"})
	give(Banned{Network: "192.168.1.77/24"})
	give(Banned{Network: "::ffff:10.0.0.1"})
	give(Banned{Network: "10.0.0.1"}) // once more
	bans, err := a.Bans(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, b := range bans {
		got[b.String()] = b.Reason + " " + b.Actor
	}
	want := map[string]string{}
	for _, who := range []string{minerAddress, minerAddress + ".<script>", "192.168.1.77/32", "192.168.1.0/24", "10.0.0.1/32"} {
		want[who] = "floods the pool anna"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bans (-want +got):\n%s", diff)
	}

	if err := a.LiftBan(ctx, Banned{Network: "10.0.0.1"}, "bert", "::1"); err != nil {
		t.Error(err)
	}
	if err := a.LiftBan(ctx, Banned{Network: "10.0.0.1"}, "bert", "::1"); !errors.Is(err, ErrNoBan) {
		t.Errorf("lifted twice: %v", err)
	}
	log, err := a.AuditLog(ctx, 2)
	if err != nil || log[0].Action != "miner.unban" || log[0].Actor != "bert" || log[1].Detail["reason"] != "floods the pool" {
		t.Errorf("audit log has %+v, %v", log, err)
	}
}

func TestBanRefuses(t *testing.T) {
	a := named(t)
	for _, tc := range []struct {
		who    Banned
		reason string
	}{
		{Banned{}, "x"},
		{Banned{Worker: "rig"}, "x"},
		{Banned{Address: minerAddress, Network: "10.0.0.1"}, "x"},
		{Banned{Address: otherNetwork}, "x"},
		{Banned{Network: "10.0.0.0/8"}, "x"},
		{Banned{Network: "::/0"}, "x"},
		{Banned{Network: "fe80::1%eth0"}, "x"},
		{Banned{Network: "home"}, "x"},
		{Banned{Address: minerAddress}, " "},
		{Banned{Address: minerAddress}, turned},
		{Banned{Address: minerAddress}, "two\nlines"},
		{Banned{Address: minerAddress}, strings.Repeat("é", maxReason+1)},
	} {
		err := a.Ban(t.Context(), Ban{Banned: tc.who, Reason: tc.reason, Actor: "anna"}, "::1")
		if _, ok := errors.AsType[*MinerError](err); !ok {
			t.Errorf("ban %+v for %q: %v", tc.who, tc.reason, err)
		}
	}
	if bans, err := a.Bans(t.Context()); err != nil || len(bans) > 0 {
		t.Errorf("bans = %v, %v", bans, err)
	}
}

func TestMarks(t *testing.T) {
	a, ctx := named(t), t.Context()
	mark := Mark{Address: minerAddress, Worker: "rig", Label: "Cellar", Tags: []string{"old", " heat ", "old", ""}}
	if err := a.SetMark(ctx, mark, "anna", "::1"); err != nil {
		t.Fatal(err)
	}
	want := []Mark{{Address: minerAddress, Worker: "rig", Label: "Cellar", Tags: []string{"heat", "old"}}}
	if got, err := a.Marks(ctx, minerAddress); err != nil || !cmp.Equal(got, want) {
		t.Errorf("marks = %+v, %v", got, err)
	}
	for _, m := range []Mark{
		{Address: "x", Label: "a"},
		{Address: minerAddress, Label: turned},
		{Address: minerAddress, Label: strings.Repeat("x", maxLabel+1)},
		{Address: minerAddress, Tags: []string{turned}},
		{Address: minerAddress, Tags: strings.Split("a b c d e f g h i", " ")},
	} {
		if _, ok := errors.AsType[*MinerError](a.SetMark(ctx, m, "anna", "::1")); !ok {
			t.Errorf("%+v is taken", m)
		}
	}
	if err := a.SetMark(ctx, Mark{Address: minerAddress, Worker: "rig"}, "anna", "::1"); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Marks(ctx, ""); err != nil || len(got) > 0 {
		t.Errorf("marks = %+v, %v after they were taken away", got, err)
	}
}

// A link leads to its address until it is taken back, and its token stands nowhere.
func TestObserverLinks(t *testing.T) {
	a, ctx := named(t), t.Context()
	token, err := a.LinkObserver(ctx, minerAddress, "anna", "::1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.ObserverOf(ctx, token); err != nil || got != minerAddress {
		t.Errorf("link leads to %q, %v", got, err)
	}
	links, err := a.ObserverLinks(ctx, minerAddress)
	if err != nil || len(links) != 1 || links[0].Actor != "anna" {
		t.Fatalf("links = %+v, %v", links, err)
	}
	log, err := a.AuditLog(ctx, 5)
	if said := fmt.Sprint(log, links); err != nil || strings.Contains(said, token) || !strings.Contains(said, links[0].ID) {
		t.Errorf("audit log has %v, %v", log, err)
	}
	for _, id := range []string{"", "00", links[0].ID} {
		want := ErrNoLink
		if id == links[0].ID {
			want = nil
		}
		if err := a.UnlinkObserver(ctx, minerAddress, id, "anna", "::1"); !errors.Is(err, want) {
			t.Errorf("unlink %q: %v", id, err)
		}
	}
	if _, err := a.ObserverOf(ctx, token); !errors.Is(err, ErrNoLink) {
		t.Errorf("a link that was taken back: %v", err)
	}
	for range maxLinks {
		if _, err := a.LinkObserver(ctx, minerAddress, "anna", "::1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.LinkObserver(ctx, minerAddress, "anna", "::1"); err == nil {
		t.Error("there is no end of links")
	}
}
