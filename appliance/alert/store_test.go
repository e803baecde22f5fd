package alert

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDismiss(t *testing.T) {
	b := newBench(t)
	b.look(nil)
	b.look(func(s *Snapshot) {
		frozen(s)
		s.Books.Blocks = []Block{{Hash: "a", State: "found"}}
	})
	open := func() int {
		n, err := b.bell.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if open() != 2 {
		t.Fatalf("%d open alerts", open())
	}
	list, err := b.bell.Alerts(t.Context(), Filter{Type: LedgerFrozen, Open: true, Level: Critical}, 10)
	if err != nil || len(list) != 1 || list[0].Over() {
		t.Fatalf("alerts %+v, %v", list, err)
	}
	b.update(func(tx *sql.Tx) error { return b.bell.Dismiss(t.Context(), tx, list[0].ID, "admin") })
	b.update(func(tx *sql.Tx) error {
		if err := b.bell.Dismiss(t.Context(), tx, list[0].ID, "admin"); !errors.Is(err, ErrNotFound) {
			t.Errorf("dismissed twice: %v", err)
		}
		n, err := b.bell.DismissOver(t.Context(), tx, math.MaxInt64, "admin")
		if n != 1 {
			t.Errorf("%d were over", n)
		}
		return err
	})
	if open() != 0 {
		t.Errorf("%d open alerts", open())
	}
	b.sleep(time.Hour) // what lasts goes on
	b.look(frozen)
	if open() != 0 {
		t.Error("what was dismissed is raised again while it lasts")
	}
	if list, err := b.bell.Alerts(t.Context(), Filter{Before: list[0].ID + 1}, 10); err != nil || len(list) == 0 || list[0].DismissedBy != "admin" {
		t.Errorf("history %+v, %v", list, err)
	}
}

func TestPrune(t *testing.T) {
	b := newBench(t)
	b.look(nil)
	b.look(frozen)
	b.update(func(tx *sql.Tx) error {
		for i := range keptAlerts + 10 {
			at := noon.UnixMilli()
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO alert (rule, type, name, level, lasting, raised_at, over_at) VALUES ('x', 'block_found', '', 'info', 0, ?, ?)`, at, at); err != nil {
				return err
			}
			if i < 5 {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO alert_delivery (name, news, urgent, at, state) VALUES ('gone', 'test', 0, ?, 'sent')`, noon.AddDate(0, -4, 0).UnixMilli()); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := b.bell.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := b.bell.Alerts(t.Context(), Filter{}, 10*keptAlerts)
	if err != nil || len(list) != keptAlerts+1 || list[len(list)-1].Type != LedgerFrozen {
		t.Errorf("%d alerts are left, %v", len(list), err)
	}
	if n := len(b.deliveries()); n != 0 {
		t.Errorf("%d old deliveries are left", n)
	}
}

func TestChannelsThatCannotBe(t *testing.T) {
	b := newBench(t)
	mail := Target{Server: "mail.example.org", Port: 587, Security: SecurityStartTLS, From: "a@example.org", To: "b@example.org"}
	but := func(change func(*Target)) Target {
		t := mail
		change(&t)
		return t
	}
	for _, test := range []struct {
		c    Channel
		s    Secret
		want string
	}{
		{Channel{Kind: "pigeon"}, Secret{}, "no kind"},
		{Channel{Kind: Webhook, Name: "x\ny"}, Secret{URL: "http://a"}, "one line"},
		{Channel{Kind: Webhook, PerHour: -1}, Secret{URL: "http://a"}, "messages an hour"},
		{Channel{Kind: Webhook}, Secret{URL: "file:///etc/passwd"}, "the URL begins with"},
		{Channel{Kind: Webhook}, Secret{URL: "http://user:secret@host/"}, "no user name"},
		{Channel{Kind: Webhook}, Secret{}, "the URL begins with"},
		{Channel{Kind: Webhook}, Secret{URL: "http://" + strings.Repeat("a", 400)}, "at most 300"},
		{Channel{Kind: Ntfy, Target: Target{Server: "https://ntfy.sh", Topic: "a/b"}}, Secret{}, "a topic"},
		{Channel{Kind: Ntfy, Target: Target{Server: "gopher://x", Topic: "a"}}, Secret{}, "the URL"},
		{Channel{Kind: Telegram, Target: Target{Chat: "1"}}, Secret{Token: "../../x:y"}, "the token of a bot"},
		{Channel{Kind: Telegram, Target: Target{Chat: "a b"}}, Secret{Token: "1:a"}, "the chat"},
		{Channel{Kind: SMTP, Target: but(func(t *Target) { t.Server = "a/b" })}, Secret{}, "the mail server"},
		{Channel{Kind: SMTP, Target: but(func(t *Target) { t.Port = 0 })}, Secret{}, "the port"},
		{Channel{Kind: SMTP, Target: but(func(t *Target) { t.Security = "" })}, Secret{}, "encrypted"},
		{Channel{Kind: SMTP, Target: but(func(t *Target) { t.User = "u" })}, Secret{}, "its password"},
		{Channel{Kind: SMTP, Target: but(func(t *Target) { t.From = "nobody" })}, Secret{}, "the sender"},
		{Channel{Kind: SMTP, Target: but(func(t *Target) { t.To = "a@b.c,\r\nBcc: d@e.f" })}, Secret{}, "one line"},
		{Channel{Kind: SMTP, Target: but(func(t *Target) { t.To = "" })}, Secret{}, "the receivers"},
	} {
		c := test.c
		if c.Name == "" {
			c.Name = "phone"
		}
		if c.PerHour == 0 {
			c.PerHour = 20
		}
		err := b.bell.db.Update(t.Context(), func(tx *sql.Tx) error {
			_, err := b.bell.SetChannel(t.Context(), tx, c, test.s)
			return err
		})
		var told *Error
		if !errors.As(err, &told) || !strings.Contains(err.Error(), test.want) || test.s.Token != "" && strings.Contains(err.Error(), test.s.Token) {
			t.Errorf("%+v: %v, want %q", test.c, err, test.want)
		}
	}
	if list, err := b.bell.Channels(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("channels %+v, %v", list, err)
	}
}

// What is secret stays as it was when it is not typed again, and goes with its channel.
func TestChannelKeepsItsSecret(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	id := b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL, Token: "key"})
	b.channel(Channel{ID: id, Kind: SMTP, Name: "renamed"}, Secret{})
	c, err := b.bell.Channel(t.Context(), id)
	if err != nil || c.Kind != Webhook || c.Name != "renamed" || !c.Signed {
		t.Fatalf("channel %+v, %v", c, err)
	}
	if problem, err := b.bell.Test(t.Context(), id); err != nil || problem != "" {
		t.Fatalf("test: %q, %v", problem, err)
	}
	if h := r.next(t); !h.hook(t).Test || h.header.Get("Dmpool-Signature") == "" {
		t.Errorf("the test sent %s", h.body)
	}
	b.look(frozen)
	b.update(func(tx *sql.Tx) error {
		_, err := b.bell.RemoveChannel(t.Context(), tx, id)
		return err
	})
	if d := b.deliveries()[0]; d.State != stateDropped || d.Name != "renamed" || d.Channel != 0 {
		t.Errorf("what was to be sent: %+v", d)
	}
	if _, err := b.bell.Test(t.Context(), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("test of a channel that is gone: %v", err)
	}
}

// A token or password is for the server that it was typed in for: another one, or the
// same without encryption, never gets it.
func TestSecretStaysWithItsServer(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	id := b.channel(Channel{Kind: Ntfy, Target: Target{Server: "https://ntfy.example", Topic: "box"}}, Secret{Token: "planted"})
	b.channel(Channel{ID: id, Name: "phone", Target: Target{Server: " https://ntfy.example/ ", Topic: "other"}}, Secret{})
	if c, err := b.bell.Channel(t.Context(), id); err != nil || !c.Signed {
		t.Errorf("the same server with another topic: %+v, %v", c, err)
	}
	b.channel(Channel{ID: id, Name: "phone", Target: Target{Server: r.URL, Topic: "box"}}, Secret{})
	if problem, err := b.bell.Test(t.Context(), id); err != nil || problem != "" {
		t.Fatalf("test: %q, %v", problem, err)
	}
	if got := r.next(t).header.Get("Authorization"); got != "" {
		t.Errorf("another server is told %q", got)
	}

	mail := Target{Server: "mail.example", Port: 587, Security: SecurityStartTLS, User: "box", From: "box@mail.example", To: "anna@mail.example"}
	id = b.channel(Channel{Kind: SMTP, Target: mail}, Secret{Token: "planted"})
	for name, change := range map[string]func(t *Target){
		"server":     func(t *Target) { t.Server = "mail.other" },
		"port":       func(t *Target) { t.Port = 2525 },
		"encryption": func(t *Target) { t.Security = SecurityNone },
		"user":       func(t *Target) { t.User = "other" },
	} {
		target := mail
		change(&target)
		err := b.bell.db.Update(t.Context(), func(tx *sql.Tx) error {
			_, err := b.bell.SetChannel(t.Context(), tx, Channel{ID: id, Name: "mail", PerHour: 20, Target: target}, Secret{})
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "its password") {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// A channel whose secrets cannot be opened says so, and works again with new ones.
func TestSealLost(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	id := b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.update(func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE alert_channel SET sealed = x'00'`)
		return err
	})
	if problem, err := b.bell.Test(t.Context(), id); err != nil || !strings.Contains(problem, "type it in again") {
		t.Errorf("test: %q, %v", problem, err)
	}
	b.channel(Channel{ID: id, Kind: Webhook}, Secret{URL: r.URL})
	if problem, err := b.bell.Test(t.Context(), id); err != nil || problem != "" {
		t.Errorf("test with a new secret: %q, %v", problem, err)
	}
}

func TestOwnRules(t *testing.T) {
	b := newBench(t)
	set := func(r Rule) (Rule, error) {
		err := b.bell.db.Update(t.Context(), func(tx *sql.Tx) (err error) {
			r, err = b.bell.SetRule(t.Context(), tx, r)
			return err
		})
		b.bell.Refresh()
		return r, err
	}
	for _, r := range []Rule{
		{Type: "weather", Name: "x", Level: Info},
		{Type: NoBlock, Level: Info, Minutes: 60},
		{Type: NoBlock, Name: "x", Level: "loud", Minutes: 60},
		{Type: NoBlock, Name: "x", Level: Info},
		{Type: HashrateBelow, Name: "x", Level: Info, Minutes: 1},
		{Type: HashrateBelow, Name: "x", Level: Info, Minutes: 1, Threshold: math.NaN()},
		{Type: NoBlock, Name: "a\nb", Level: Info, Minutes: 60},
	} {
		if got, err := set(r); err == nil {
			t.Errorf("rule %+v was made", got)
		}
	}
	if _, err := set(Rule{Key: HashrateBelow, Level: Info, Minutes: 1, Threshold: 1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a rule that there is not: %v", err)
	}
	own, err := set(Rule{Type: WorkerCountBelow, Name: "Too few", Level: Warning, Threshold: 2, Minutes: 1, Enabled: true})
	if err != nil || own.Key != "own-1" || !own.Own() {
		t.Fatalf("rule %+v, %v", own, err)
	}
	b.look(nil)
	b.sleep(2 * time.Minute)
	b.look(nil)
	list, err := b.bell.Alerts(t.Context(), Filter{}, 10)
	if err != nil || len(list) != 1 || b.bell.words.Tell(english, list[0], same).Title != "Too few: Only 1 miners are at work" {
		t.Fatalf("alerts %+v, %v", list, err)
	}
	b.update(func(tx *sql.Tx) error {
		_, err := b.bell.RemoveRule(t.Context(), tx, own.Key, b.clock())
		return err
	})
	if list, _ = b.bell.Alerts(t.Context(), Filter{}, 10); !list[0].Over() {
		t.Error("the alert of a rule that is gone goes on")
	}
	if _, err := b.bell.Rule(t.Context(), own.Key); !errors.Is(err, ErrNotFound) {
		t.Errorf("the rule is there: %v", err)
	}
	changed, err := set(Rule{Key: WorkerOffline, Level: Critical, Minutes: 3, Cooldown: 5, Enabled: true})
	if err != nil || changed.Type != WorkerOffline {
		t.Fatalf("rule %+v, %v", changed, err)
	}
	if r, err := b.bell.Rule(t.Context(), WorkerOffline); err != nil || r.Minutes != 3 || r.Level != Critical {
		t.Errorf("rule %+v, %v", r, err)
	}
	b.update(func(tx *sql.Tx) error {
		_, err := b.bell.RemoveRule(t.Context(), tx, WorkerOffline, b.clock())
		return err
	})
	if r, err := b.bell.Rule(t.Context(), WorkerOffline); err != nil || r.Minutes != 10 {
		t.Errorf("as the program has it: %+v, %v", r, err)
	}
}

// Whatever a receiver does and whenever the box stops: what was raised arrives in the
// end, at least once.
func TestDeliveredAtLeastOnce(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	id := b.channel(Channel{Kind: Webhook, PerHour: 1000}, Secret{URL: r.URL})
	one := &courier{bell: b.bell, channel: id}
	rapid.Check(t, func(rt *rapid.T) {
		b.update(func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `DELETE FROM alert; DELETE FROM alert_seen; UPDATE alert_channel SET failures = 0, next_at = 0`)
			return err
		})
		b.bell.watches = map[string]*watch{}
		r.answers(nil)
		arrived, raised := map[string]bool{}, map[string]bool{}
		take := func() {
			for len(r.got) > 0 {
				for _, a := range (<-r.got).hook(t).Alerts {
					for _, about := range a.About {
						arrived[about["hash"]] = true
					}
				}
			}
		}
		var blocks []Block
		look := func() { b.look(func(s *Snapshot) { s.Books.Blocks = blocks }) }
		look()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"block", "fails", "works", "restart", "time"}).Draw(rt, "step") {
			case "block":
				hash := fmt.Sprint("h", len(blocks))
				blocks, raised[hash] = append(blocks, Block{Hash: hash, State: "found"}), true
				look()
			case "fails":
				r.answers(status(http.StatusServiceUnavailable, ""))
			case "works":
				r.answers(nil)
			case "restart":
				b.bell.loaded, b.bell.watches = false, map[string]*watch{}
			case "time":
				b.sleep(time.Duration(rapid.IntRange(1, 400).Draw(rt, "seconds")) * time.Second)
			}
			if _, err := one.pass(t.Context()); err != nil {
				rt.Fatal(err)
			}
			if r.answer == nil {
				take()
			} else {
				for len(r.got) > 0 {
					<-r.got // it was refused
				}
			}
		}
		r.answers(nil)
		for range 5 {
			b.sleep(time.Hour)
			look()
			if _, err := one.pass(t.Context()); err != nil {
				rt.Fatal(err)
			}
			take()
		}
		for hash := range raised {
			if !arrived[hash] {
				rt.Fatalf("%s has not arrived", hash)
			}
		}
		for _, d := range b.deliveries() {
			if d.State != stateSent {
				rt.Fatalf("not sent: %+v", d)
			}
		}
	})
}

// Whoever has dismissed that the disk fills up hears that it is nearly full.
func TestWorseIsToldAgain(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	fills := func(s *Snapshot) { s.Disk.Bad = true }
	b.look(fills)
	b.sleep(time.Hour)
	b.look(fills)
	if got := r.next(t).hook(t); len(got.Alerts) != 1 || got.Alerts[0].Title != "The disk fills up" {
		t.Fatalf("first stage: %+v", got)
	}
	list, err := b.bell.Alerts(t.Context(), Filter{Type: DiskLow}, 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	b.update(func(tx *sql.Tx) error { return b.bell.Dismiss(t.Context(), tx, list[0].ID, "admin") })
	full := func(s *Snapshot) { s.Disk.Bad, s.Disk.Urgent = true, true }
	b.look(full)
	b.sleep(time.Hour)
	b.look(full)
	if got := r.next(t).hook(t); len(got.Alerts) != 1 || got.Alerts[0].News != "raised" || got.Alerts[0].Title != "The disk is nearly full" {
		t.Fatalf("second stage: %+v", got)
	}
}
