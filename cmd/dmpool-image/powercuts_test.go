//go:build image

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/cpuminer"
)

const minersAddress = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"

// TestPowerCuts takes the power of a box away again and again while it mines and pays
// on the practice chain, and then holds what it has promised against what it has.
// CUTS is the number of cuts.
func TestPowerCuts(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("CUTS"))
	if err != nil {
		t.Skip("CUTS is not set; make image-powercuts sets it")
	}
	m := newVM(t, 8)
	m.giveKey()
	m.start()
	m.awaitShell()
	m.giveNode()
	m.answer(func(string) {})
	m.paysByItself()

	w := &witness{t: t, pool: m.miner, shares: map[float64]*told{}}
	address := w.listen(t.Context())
	miner, err := cpuminer.New(cpuminer.Config{URL: address, User: minersAddress + ".rig", Password: "d=0.0001", Threads: 1, MaxHashrate: 2e6})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = miner.Run(t.Context()) }()

	m.await("the first payment", m.hasPaid)
	t.Logf("%d shares are answered before the first cut", w.answered())

	m.cutAgainAndAgain(w, rounds)
}

// cutAgainAndAgain takes the power away that many times and compares in the end.
func (m *vm) cutAgainAndAgain(w *witness, rounds int) {
	t := m.t
	cuts, whole := 0, 0
	for round := range rounds {
		if end, ok := t.Deadline(); ok && time.Until(end) < 20*time.Minute {
			t.Errorf("there was time for %d cuts of %d", cuts, rounds)
			break
		}
		before := w.answered()
		m.await("miners are at work", func() error {
			if n := w.answered() - before; n < 50 {
				return fmt.Errorf("%d shares are answered", n)
			}
			return nil
		})
		time.Sleep(time.Duration(rand.Int64N(int64(40 * time.Second)))) // somewhere in the middle of whatever it does
		m.cut()
		cuts++
		w.next()
		t.Logf("round %d: cut after %d shares", round+1, w.answered())
		m.start()
		m.awaitShell()
		books := m.copyBooks()
		if err := books.check(t.Context()); err != nil {
			t.Errorf("round %d: %v", round+1, err)
		} else {
			whole++
		}
	}

	// Once more in peace, so that what a cut has left behind is finished.
	before := w.answered()
	m.await("miners are at work", func() error {
		if w.answered() < before+50 {
			return fmt.Errorf("they are not")
		}
		return nil
	})
	w.rest()
	books := m.copyBooks()
	result := books.compare(t, w, m.node())
	t.Logf("power cuts: %d, integrity_check ok %d; %d shares answered, %d lost, %d doubled; %d found blocks, %d lost (%d stale); %d payments, %d doubled",
		cuts, whole, result.answered, result.lost, result.doubled, result.blocks, result.blocksLost, result.stale, result.payments, result.paidTwice)
}

// answer answers the wizard; after is told each page that is done.
func (m *vm) answer(after func(done string)) {
	m.t.Helper()
	v := newVisitor(m.t, m)
	m.await("the wizard", v.wizardReady)
	for _, a := range wizardAnswers(imageCode) {
		v.send("/setup/"+a[0], a[1:]...)
		after(a[0])
		m.await("the wizard goes on", func() error { _, err := v.get("/setup"); return err })
	}
}

// api sends a command, or asks without one, and returns the answer.
func (m *vm) api(token, path string, command any) (answer map[string]any, err error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), callPatience)
	defer cancel()
	method, body := http.MethodGet, []byte(nil)
	if command != nil {
		method = http.MethodPost
		if body, err = json.Marshal(command); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+m.pages+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", path)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&answer)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s, %v", path, resp.Status, answer)
	}
	return answer, err
}

// logIn returns a token of the operator's.
func (m *vm) logIn() (token string) {
	m.t.Helper()
	m.await("the login", func() error {
		answer, err := m.api("", "/api/auth/login", map[string]string{"username": "anna", "password": imagePassword})
		token, _ = answer["token"].(string)
		return err
	})
	return token
}

// paysByItself lets the box send every payout without a person.
func (m *vm) paysByItself() {
	m.t.Helper()
	token := m.logIn()
	was, err := m.api(token, "/api/payments/config", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	const everything = 1_000_000_00000000
	_, err = m.api(token, "/api/payments/config", map[string]any{"rev": was["rev"], "password": imagePassword, "settings": map[string]any{
		"auto_approve_below_sat": int64(everything), "auto_approve_daily_sat": int64(everything), "payout_every_secs": 10,
	}})
	if err != nil {
		m.t.Fatal(err)
	}
}

// hasPaid tells whether a payment is confirmed.
func (m *vm) hasPaid() error {
	answer, err := m.api("", "/api/observer/"+minersAddress+"/payouts", nil)
	if err != nil {
		return err
	}
	text, _ := json.Marshal(answer)
	if !bytes.Contains(text, []byte(`"settled"`)) {
		return fmt.Errorf("the answer is %.300s", text)
	}
	return nil
}

// copyBooks takes copies of the databases from the box, whose pool rests meanwhile.
func (m *vm) copyBooks() books {
	m.t.Helper()
	tar, err := m.ssh("set -e; systemctl stop dmpool dmpool-http.socket dmpool-https.socket dmpool-stratum.socket; cd /var/lib/dmpool/practice; tar -c ledger.db* shares.db*; systemctl start dmpool")
	if err != nil {
		m.t.Fatal(err)
	}
	dir := m.t.TempDir()
	file := filepath.Join(dir, "books.tar")
	if err := os.WriteFile(file, []byte(tar), 0o600); err != nil {
		m.t.Fatal(err)
	}
	command(m.t, "tar", "-C", dir, "-xf", file)
	return books{dir}
}
