//go:build nspawn

package packaging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/node"
)

// purse is the operator, who pays from the shell, as with curl.
type purse struct {
	t     *testing.T
	token string
	sent  int // commands
}

func signIn(t *testing.T) *purse {
	t.Helper()
	p := &purse{t: t}
	waitFor(t, "the operator can sign in", func() bool {
		var answer struct{ Token string }
		err := p.call("/api/auth/login", map[string]any{"username": "admin", "password": password}, &answer)
		p.token = answer.Token
		return err == nil && p.token != ""
	})
	return p
}

// call sends a command, or asks without one.
func (p *purse) call(path string, command map[string]any, answer any) error {
	time.Sleep(calm)
	method, body := http.MethodGet, []byte(nil)
	if command != nil {
		var err error
		if body, err = json.Marshal(command); err != nil {
			return err
		}
		method = http.MethodPost
		p.sent++
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://127.0.0.1:8080"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d-%p", path, p.sent, p))
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		var problem json.RawMessage
		_ = json.NewDecoder(resp.Body).Decode(&problem)
		return fmt.Errorf("%s %s: %s, %s", method, path, resp.Status, problem)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// payment is what the API says of a payout.
type payment struct {
	ID     int64
	Rev    int64
	State  string
	Digest string
	Total  int64 `json:"total_sats"`
	TxID   string
}

// payments lists the payouts.
func (p *purse) payments() (all []payment) {
	var list struct{ Items []payment }
	if err := p.call("/api/payments/payouts", nil, &list); err != nil {
		p.t.Log(err)
	}
	return list.Items
}

// pay prepares a payout of all that is due, says yes to it, and waits until the chain
// has it.
func (p *purse) pay() payment {
	p.t.Helper()
	var plan payment
	waitFor(p.t, "there is a payout to say yes to", func() bool {
		for _, v := range p.payments() {
			path := fmt.Sprintf("/api/payments/payouts/id/%d", v.ID)
			if v.State == "pending" && p.call(path, nil, &plan) == nil && plan.Digest != "" {
				return true
			}
		}
		_ = p.call("/api/payments/create", map[string]any{}, &plan) // nothing is due yet, or one is being planned
		return false
	})
	err := p.call(fmt.Sprintf("/api/payments/broadcast/%d", plan.ID), map[string]any{
		"password": password, "rev": plan.Rev, "digest": plan.Digest, "total_sats": plan.Total,
	}, &plan)
	if err != nil {
		p.t.Fatal(err)
	}
	waitFor(p.t, "the payout is settled", func() bool {
		return p.call(fmt.Sprintf("/api/payments/payouts/id/%d", plan.ID), nil, &plan) == nil && plan.State == "settled"
	})
	return plan
}

// frozen returns why no payout moves, empty when they do.
func (p *purse) frozen() string {
	var stats struct{ Frozen string }
	if err := p.call("/api/payments/stats", nil, &stats); err != nil {
		p.t.Log(err)
	}
	return stats.Frozen
}

// coins counts, at the node, the payments that the miner got.
func coins(t *testing.T) int {
	t.Helper()
	conf, err := os.ReadFile("/var/lib/dmpool-node-conf/practice.conf")
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`(?m)^rpcport=(\d+)`).FindSubmatch(conf)
	if port == nil {
		t.Fatalf("no port in\n%s", conf)
	}
	client := node.New(node.Config{URL: "http://127.0.0.1:" + string(port[1]), CookieFile: "/run/dmpool-node-practice/.cookie"})
	address, _, _ := strings.Cut(payTo, ".")
	var found struct{ Unspents []struct{ TxID string } }
	if err := client.Call(t.Context(), "scantxoutset", &found, "start", []string{"addr(" + address + ")"}); err != nil {
		t.Fatal(err)
	}
	return len(found.Unspents)
}
