package webui

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/dmpool/dmpool/pool/payout"
)

// post sends a form of a page.
func (w *tab) post(path string, form url.Values) (status int, page string) {
	w.b.t.Helper()
	form.Set("token", w.token)
	form.Set("password", password)
	status, page, _ = w.send(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode(), nil)
	return status, page
}

func (b *realBox) payout(id int64) payout.Payout {
	b.t.Helper()
	p, err := b.box.Payouts().Get(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// A payout that does not confirm gets a higher fee, is taken back, and its money
// is payable again, all from its page, on a real node; and every page of money is
// sound on the way.
func TestPayoutTakenBackOnRealNode(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	w := b.signIn("127.0.3.1")
	v := b.pending(w)
	page := fmt.Sprintf("/payouts/%d", v.ID)
	paths := []string{"/payouts", "/payouts?tab=owed", page, "/books", "/settings", "/accounts/" + v.Items[0].Address, "/observer/" + v.Items[0].Address + "/why", "/health", "/"}
	look := func(when string) {
		for _, path := range paths {
			status, html, _ := w.send(http.MethodGet, path, "", "", nil)
			if status != http.StatusOK {
				t.Errorf("%s %s: status %d", path, when, status)
				continue
			}
			checkPage(t, html)
		}
	}
	rev := func() url.Values { return url.Values{"rev": {fmt.Sprint(b.payout(v.ID).Rev)}} }
	look("before the approval")

	w.mustDo(fmt.Sprintf("/api/payments/broadcast/%d", v.ID), yes(v))
	b.eventually("it is sent", func() bool { return b.payout(v.ID).State == payout.Broadcast })
	look("after it was sent")

	form := rev()
	form.Set("rate", "1000000")
	if status, _ := w.post(page+"/bump", form); status != http.StatusUnprocessableEntity {
		t.Errorf("an absurd fee rate: status %d", status)
	}
	form.Set("rate", "10")
	if status, html := w.post(page+"/bump", form); status != http.StatusSeeOther {
		t.Fatalf("bump: status %d, %s", status, html)
	}
	if status, _ := w.post(page+"/bump", form); status != http.StatusConflict {
		t.Errorf("the same bump again: status %d, want 409", status)
	}
	b.eventually("the bump is sent", func() bool {
		p := b.payout(v.ID)
		return len(p.Attempts) == 2 && p.Attempts[1].Fate == payout.FateBroadcast
	})

	if status, html := w.post(page+"/take-back", rev()); status != http.StatusSeeOther {
		t.Fatalf("take back: status %d, %s", status, html)
	}
	b.eventually("its coins are on the way back", func() bool {
		p := b.payout(v.ID)
		return p.State == payout.Cancelling && p.Attempts[len(p.Attempts)-1].Fate == payout.FateBroadcast
	})
	look("while it is taken back")

	b.mine(b.box.Pool().Listeners[0].Addr().String())
	b.eventually("it is cancelled", func() bool { return b.payout(v.ID).State == payout.Cancelled })
	b.rest()
	look("after it was taken back")
	balance, known, err := b.box.Ledger().BalanceOf(t.Context(), v.Items[0].Address)
	if err != nil || !known || balance.Reserved != 0 || balance.Payable < v.Total || balance.Paid != 0 {
		t.Errorf("balance %+v, %v", balance, err)
	}
	if err := b.box.Ledger().Check(t.Context()); err != nil {
		t.Error(err)
	}
}
