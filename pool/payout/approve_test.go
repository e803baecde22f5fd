package payout

import (
	"errors"
	"testing"
	"time"
)

// approvalBy is the yes of one person to what is on the screen.
func approvalBy(user string, p Payout) Approval {
	a := approvalOf(p)
	a.User = user

	return a
}

// TestFault59SecondPerson: who may be the first and who the second, in which order.
func TestFault59SecondPerson(t *testing.T) {
	tests := map[string]struct {
		users []string
		want  []error
	}{
		"the creator, then another":          {[]string{"ann", "bob"}, []error{nil, nil}},
		"two others":                         {[]string{"bob", "eve"}, []error{nil, nil}},
		"the creator is never the second":    {[]string{"bob", "ann", "eve"}, []error{nil, ErrSecondPerson, nil}},
		"one person twice is still one":      {[]string{"bob", "bob", "eve"}, []error{nil, ErrSecondPerson, nil}},
		"nobody is asked for a third":        {[]string{"ann", "bob", "eve"}, []error{nil, nil, ErrStale}},
		"the creator twice, and then alone":  {[]string{"ann", "ann"}, []error{nil, ErrSecondPerson}},
		"what an attacker with one login is": {[]string{"eve", "eve", "eve"}, []error{nil, ErrSecondPerson, ErrSecondPerson}},
	}
	full := fullLedger(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			b.policy.SecondPersonAbove = 1
			p := b.draft()
			b.advance()
			p = b.want(p.ID, Pending, "")

			yes := 0
			for i, user := range tt.users {
				if err := b.desk.Approve(t.Context(), approvalBy(user, p)); !errors.Is(err, tt.want[i]) {
					t.Errorf("%s approves: %v, want %v", user, err, tt.want[i])
				}
				if tt.want[i] == nil {
					yes++
				}
				state := Pending
				if yes == 2 {
					state = Approved
				}
				if got := b.want(p.ID, state, ""); len(got.Approvals) != yes {
					t.Errorf("approvals %+v, want %d", got.Approvals, yes)
				}
			}
		})
	}
}

// TestSecondPersonAtSigning: a threshold that was lowered after the approval is
// in force before anything is signed.
func TestSecondPersonAtSigning(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	b.approve(b.want(p.ID, Pending, ""))
	b.policy.SecondPersonAbove = 1
	b.advance()
	b.want(p.ID, Approved, "another person has to approve")
	b.policy.SecondPersonAbove = p.Total
	b.advance()
	b.want(p.ID, Broadcast, "")
}

// TestHold: an account that is put on hold is not paid, however far its payout
// has come towards its signature.
func TestHold(t *testing.T) {
	b := newBox(t, fullLedger(t))
	address := addressOf(t, script(1))
	hold := func(on bool) {
		t.Helper()
		if err := b.ledger.SetAccountRule(t.Context(), address, nil, on, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	p := b.draft()
	b.advance()
	p = b.want(p.ID, Pending, "")
	hold(true)
	if err := b.desk.Approve(t.Context(), approvalOf(p)); !errors.Is(err, ErrHold) {
		t.Errorf("Approve = %v, want ErrHold", err)
	}
	hold(false)
	b.approve(p)
	hold(true)
	b.advance()
	p = b.want(p.ID, Approved, "on hold: cancel the payout to leave "+address+" out")

	if err := b.desk.Cancel(t.Context(), Change{ID: p.ID, Rev: p.Rev, Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	if p = b.draft(); p.Recipients != miners-1 {
		t.Errorf("a payout of %d accounts, one of %d is on hold", p.Recipients, miners)
	}
}

func TestApproveByRule(t *testing.T) {
	all := earned(1) + earned(2) + earned(3)
	tests := map[string]struct {
		change func(b *box)
		state  State
	}{
		"switched off":             {func(b *box) { b.policy.AutoApproveBelow = 0 }, Pending},
		"no limit for the day":     {func(b *box) { b.policy.AutoApproveDaily = 0 }, Pending},
		"small enough":             {func(*box) {}, Approved},
		"not below the limit":      {func(b *box) { b.policy.AutoApproveBelow = all }, Pending},
		"more than the day's":      {func(b *box) { b.policy.AutoApproveDaily = all - 1 }, Pending},
		"needs two people":         {func(b *box) { b.policy.SecondPersonAbove = all - 1 }, Pending},
		"over a cap":               {func(b *box) { b.policy.MaxPayout = all - 1 }, Pending},
		"passphrase not known":     {func(b *box) { b.pass.err = ErrLocked; b.reopen() }, Pending},
		"expired":                  {func(b *box) { b.now = b.now.Add(25 * time.Hour) }, Pending},
		"frozen":                   {func(b *box) { b.thief(); b.advance() }, Pending},
		"as much as the day takes": {func(b *box) { b.policy.AutoApproveDaily = all }, Approved},
	}
	full := fullLedger(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, full)
			b.policy.AutoApproveBelow, b.policy.AutoApproveDaily = all+1, 2*all
			p := b.draft()
			b.advance()
			b.want(p.ID, Pending, "")
			tt.change(b)
			approved, err := b.desk.ApproveByRule(t.Context())
			if err != nil || (len(approved) == 1) != (tt.state == Approved) {
				t.Errorf("ApproveByRule = %+v, %v", approved, err)
			}
			p = b.want(p.ID, tt.state, "")
			if tt.state == Approved && (len(p.Approvals) != 1 || p.Approvals[0].Method != "rule") {
				t.Errorf("approvals %+v", p.Approvals)
			}
		})
	}
}

// TestRuleKeepsToItsDay: what the rule let go counts for 24 hours.
func TestRuleKeepsToItsDay(t *testing.T) {
	b := newBox(t, fullLedger(t))
	b.wallet.mine(100, 0) // there are enough coins for three transactions
	b.policy.MaxItems = 1 // the largest amounts first
	b.policy.AutoApproveBelow, b.policy.AutoApproveDaily = earned(3)+1, earned(3)+earned(1)
	for n, want := range []State{Approved, Pending, Approved} { // miners 3, 2 and 1
		p := b.draft()
		b.advance()
		if _, err := b.desk.ApproveByRule(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.get(p.ID); got.State != want {
			t.Errorf("payout %d of %d sats is %s, want %s", n, got.Total, got.State, want)
		}
		b.advance()
	}
	b.now = b.now.Add(23 * time.Hour)
	if approved, err := b.desk.ApproveByRule(t.Context()); err != nil || len(approved) != 0 {
		t.Errorf("approved %+v, %v", approved, err)
	}
}

// TestRuleIsNotOneOfTwo: a threshold that is lowered at this moment does not make
// the rule the first of two people.
func TestRuleIsNotOneOfTwo(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	b.policy.AutoApproveBelow, b.policy.AutoApproveDaily = p.Total+1, p.Total
	asked := 0
	b.desk.policy = func() Policy {
		if asked++; asked > 1 {
			b.policy.SecondPersonAbove = 1
		}

		return b.policy.orDefaults()
	}
	if approved, err := b.desk.ApproveByRule(t.Context()); err != nil || len(approved) != 0 {
		t.Errorf("approved %+v, %v", approved, err)
	}
	b.approve(b.want(p.ID, Pending, ""))
	if got := b.want(p.ID, Pending, ""); len(got.Approvals) != 1 || got.Approvals[0].User != "ann" {
		t.Errorf("approvals %+v, want ann's alone", got.Approvals)
	}
}

// TestPersonCannotClaimTheRule: no caller can pass for the rule.
func TestPersonCannotClaimTheRule(t *testing.T) {
	b := newBox(t, fullLedger(t))
	p := b.draft()
	b.advance()
	a := approvalOf(b.get(p.ID))
	a.Method = methodRule
	if err := b.desk.Approve(t.Context(), a); err == nil {
		t.Errorf("approved by a person with the method %s", a.Method)
	}
	b.want(p.ID, Pending, "")
}
