package alert

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWebhook(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL + "/hook?token=s3cret", Token: "key"})
	b.run()
	b.look(frozen)
	got := r.next(t)
	at := got.header.Get("Dmpool-Timestamp")
	if want := "sha256=" + Signature("key", at, got.body); got.header.Get("Dmpool-Signature") != want || at == "" {
		t.Errorf("signature %q, want %q", got.header.Get("Dmpool-Signature"), want)
	}
	h := got.hook(t)
	if h.Box != "Home" || h.Level != Critical || len(h.Alerts) != 1 || h.Test {
		t.Fatalf("hook %+v", h)
	}
	if a := h.Alerts[0]; a.Type != LedgerFrozen || a.News != "raised" || a.OverAt != nil || a.Lines[0] != "The sums differ." || a.Count != 1 {
		t.Errorf("alert %+v", a)
	}
	b.awaitState(stateSent, 1)

	b.sleep(time.Minute)
	b.look(nil)
	b.sleep(time.Minute)
	b.look(nil)
	h = r.next(t).hook(t)
	if a := h.Alerts[0]; a.News != "over" || a.OverAt == nil || a.Title != "Payouts are not frozen any more" {
		t.Errorf("alert %+v", a)
	}
	if logs := b.logs.String(); strings.Contains(logs, "s3cret") {
		t.Errorf("the log tells the token: %s", logs)
	}
}

func TestNtfyAndTelegram(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.bell.config.Telegram = r.URL
	b.channel(Channel{Kind: Ntfy, Target: Target{Server: r.URL, Topic: "pool"}}, Secret{Token: "tk_1"})
	b.channel(Channel{Kind: Telegram, Target: Target{Chat: "-100123"}}, Secret{Token: "123:ABC"})
	b.run()
	b.look(frozen)
	seen := map[string]received{}
	for range 2 {
		got := r.next(t)
		seen[got.path] = got
	}
	ntfy := seen["/"]
	if ntfy.header.Get("Authorization") != "Bearer tk_1" {
		t.Errorf("ntfy was sent %v", ntfy.header)
	}
	var n struct {
		Topic, Title, Message string
		Priority              int
	}
	if err := json.Unmarshal(ntfy.body, &n); err != nil || n.Topic != "pool" || n.Priority != 5 || n.Title != "[Home] Payouts are frozen" ||
		!strings.Contains(n.Message, "The sums differ.") {
		t.Errorf("ntfy was sent %s, %v", ntfy.body, err)
	}
	var m struct {
		Chat string `json:"chat_id"`
		Text string
		Mode *string `json:"parse_mode"`
	}
	telegram := seen["/bot123:ABC/sendMessage"]
	if err := json.Unmarshal(telegram.body, &m); err != nil || m.Chat != "-100123" || m.Mode != nil || !strings.HasPrefix(m.Text, "[Home] Payouts are frozen\n\nThe sums differ.") {
		t.Errorf("Telegram was sent %s, %v", telegram.body, err)
	}
	b.awaitState(stateSent, 2)
}

// A receiver that fails is tried again, ever more seldom, and gets everything in one
// message when it is back.
func TestRetries(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(status(http.StatusInternalServerError, "no such luck"))
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	r.next(t)
	b.eventually("the failure is noted", func(list []Delivery) bool {
		return list[0].Tries == 1 && list[0].Problem == "The receiver answered 500: no such luck." && list[0].State == stateWaiting
	})
	b.sleep(firstRetry - time.Second)
	b.look(func(s *Snapshot) { frozen(s); s.Disk.Part = Part{Bad: true, Reason: "Full."} })
	r.none(t)
	b.sleep(time.Second)
	r.next(t)
	b.eventually("the second failure is noted", func(list []Delivery) bool { return list[0].Tries == 2 })
	b.sleep(2*firstRetry - time.Second)
	r.none(t)
	b.sleep(2 * time.Minute)
	r.next(t)
	b.eventually("the third failure is noted", func(list []Delivery) bool { return list[len(list)-1].Tries == 3 })
	b.look(func(s *Snapshot) { frozen(s); s.Disk.Part = Part{Bad: true, Reason: "Full."} })
	r.answers(nil)
	b.sleep(4 * firstRetry)
	h := r.next(t).hook(t)
	if len(h.Alerts) != 2 || h.Title != "2 alerts" || !strings.Contains(h.Text, "Full.") || !strings.Contains(h.Text, "The sums differ.") {
		t.Errorf("hook %+v", h)
	}
	b.awaitState(stateSent, 2)
}

// After a day the news are dropped, and the log says why.
func TestGivesUpAfterADay(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(status(http.StatusNotFound, ""))
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	tries := 0
	for tries < 60 {
		select {
		case <-r.got:
			tries++
			b.eventually("noted", func(list []Delivery) bool { return list[0].Tries == tries })
			if b.deliveries()[0].State == stateDropped {
				goto dropped
			}
			b.sleep(lastRetry)
		case <-time.After(patience):
			t.Fatal("it is not tried any more")
		}
	}
dropped:
	d := b.deliveries()[0]
	if d.State != stateDropped || d.Problem != "It was tried for a day and is not sent any more. The receiver answered 404 Not Found." || tries < 20 || tries > 35 {
		t.Errorf("after %d tries: %+v", tries, d)
	}
}

// What a receiver refuses for what it is does not keep back what follows.
func TestRefusedContent(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(status(http.StatusRequestEntityTooLarge, "too large"))
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	for n := 1; n <= refusals; n++ {
		r.next(t)
		b.eventually("noted", func(list []Delivery) bool { return list[0].Tries == n })
		b.sleep(lastRetry)
	}
	b.awaitState(stateDropped, 1)
}

// A channel that hangs keeps nobody waiting: neither those who raise alerts nor the
// other channels.
func TestHangingChannel(t *testing.T) {
	b, r, good := newBench(t), newReceiver(t), newReceiver(t)
	release := make(chan struct{})
	r.answers(func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	b.channel(Channel{Kind: Webhook, Name: "hangs"}, Secret{URL: r.URL})
	b.channel(Channel{Kind: Webhook, Name: "works"}, Secret{URL: good.URL})
	b.run()
	b.look(frozen)
	r.next(t)
	good.next(t)
	b.awaitState(stateSent, 1)
	b.sleep(time.Minute)
	b.look(nil)
	b.sleep(2 * time.Minute)
	b.look(nil)
	good.next(t)
	b.awaitState(stateSent, 2)
	b.stop() // while one hangs
}

// A huge answer is read only in part, and does no harm.
func TestHugeAnswer(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		for range 10 << 10 {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
				return
			}
		}
	})
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	b.eventually("noted", func(list []Delivery) bool {
		return len(list) == 1 && strings.HasPrefix(list[0].Problem, "The receiver answered 418: xxx") && len(list[0].Problem) < 300
	})
}

// A redirect is not followed: the target of it was not chosen by the operators.
func TestRedirect(t *testing.T) {
	b, r, elsewhere := newBench(t), newReceiver(t), newReceiver(t)
	r.answers(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	b.eventually("noted", func(list []Delivery) bool { return strings.Contains(list[0].Problem, "307, which leads elsewhere") })
	elsewhere.none(t)
}

// Neither what a server says nor what the library says tells a secret.
func TestNoSecretIsTold(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.bell.config.Telegram = r.URL
	r.answers(func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "who is "+req.URL.Path+" with "+req.Header.Get("Authorization")+" "+req.RequestURI)
	})
	const token, hidden = "987:SECRET-token_x", "https://hooks.invalid./services/T0/B0/very%20secret"
	b.channel(Channel{Kind: Telegram, Target: Target{Chat: "1"}}, Secret{Token: token})
	b.channel(Channel{Kind: Ntfy, Target: Target{Server: r.URL, Topic: "pool"}}, Secret{Token: "tk_hidden/§"})
	b.channel(Channel{Kind: Webhook}, Secret{URL: hidden, Token: "signing"})
	b.run()
	b.look(frozen)
	b.eventually("all have failed", func(list []Delivery) bool {
		n := 0
		for _, d := range list {
			n += min(d.Tries, 1)
		}
		return n == 3
	})
	r.Close()
	b.sleep(time.Hour)
	b.eventually("all have failed once more", func(list []Delivery) bool {
		for _, d := range list {
			if d.Tries < 2 {
				return false
			}
		}
		return true
	})
	channels, err := b.bell.Channels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := b.logs.String()
	for _, d := range b.deliveries() {
		told += d.Problem
	}
	for _, c := range channels {
		c.sealed = nil
		text, _ := json.Marshal(c)
		told += string(text)
	}
	for _, secret := range []string{"SECRET-token", "tk_hidden", "very", "signing", "services/T0"} {
		if strings.Contains(told, secret) {
			t.Errorf("%q is told: %s", secret, told)
		}
	}
}

// What was not sent when the box stopped is sent after its start, and an alert that was
// raised is not raised again.
func TestRestartInTheMiddle(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	path := b.bell.db.Path()
	release := make(chan struct{})
	r.answers(func(http.ResponseWriter, *http.Request) { <-release })
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	first := r.next(t).hook(t)
	b.stop() // while it is under way
	if err := b.bell.db.Close(); err != nil {
		t.Fatal(err)
	}
	close(release)

	b.open(path)
	r.answers(nil)
	b.run()
	again := r.next(t).hook(t)
	if len(again.Alerts) != 1 || again.Alerts[0].ID != first.Alerts[0].ID {
		t.Errorf("after the restart came %+v", again)
	}
	b.awaitState(stateSent, 1)
	b.sleep(time.Minute)
	b.look(frozen)
	b.sleep(time.Hour)
	b.look(frozen)
	if n := len(b.deliveries()); n != 1 {
		t.Errorf("%d deliveries", n)
	}
	b.look(nil)
	b.sleep(time.Minute)
	b.look(nil)
	if h := r.next(t).hook(t); h.Alerts[0].ID != first.Alerts[0].ID || h.Alerts[0].News != "over" {
		t.Errorf("the end: %+v", h)
	}
}
