package webui

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
)

// doCreate prepares a payout of all that is due. It sends nothing.
func (s *site) doCreate(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	id, err := s.box.DraftPayout(r.Context(), who.Operator, c.key, who.IP.String())
	if err != nil {
		return 0, nil, err
	}
	v, err := s.box.Payout(r.Context(), id)
	return http.StatusCreated, wholePayment(v), err
}

// doBroadcast says yes to exactly one plan; the pool then signs and sends it.
func (s *site) doBroadcast(r *http.Request, who caller, c command) (int, any, error) {
	var in struct {
		Rev    int64  `json:"rev"`
		Digest string `json:"digest"`
		Total  int64  `json:"total_sats"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	v, err := s.findPayout(r.Context(), r)
	if err != nil {
		return 0, nil, err
	}
	digest, err := hex.DecodeString(in.Digest)
	if err != nil || len(digest) == 0 {
		return 0, nil, invalid("Name the digest of the plan that you say yes to.")
	}
	if in.Rev != v.Rev || in.Digest != v.Digest || !v.Can.Approve {
		return 0, nil, stale(nil)
	}
	if in.Total != v.Total {
		return 0, nil, refused("The total that you name is not the total of this payout.")
	}
	err = s.box.ApprovePayout(r.Context(), approval{ID: v.ID, Rev: in.Rev, Digest: digest, Method: methodOf(c.password), Operator: who.Operator, IP: who.IP.String()})
	if err != nil {
		return 0, nil, err
	}
	v, err = s.box.Payout(r.Context(), v.ID)
	return http.StatusOK, wholePayment(v), err
}

// doCancel gives up a payout that nobody has signed.
func (s *site) doCancel(r *http.Request, who caller, c command) (int, any, error) {
	var in struct {
		Rev int64 `json:"rev"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	id, err := idOf(r)
	if err != nil {
		return 0, nil, err
	}
	if err := s.box.CancelPayout(r.Context(), id, in.Rev, who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	v, err := s.box.Payout(r.Context(), id)
	return http.StatusOK, wholePayment(v), err
}

// doConfig changes the settings that the command names and leaves the others.
func (s *site) doConfig(r *http.Request, who caller, c command) (int, any, error) {
	var in struct {
		Rev      int64           `json:"rev"`
		Settings json.RawMessage `json:"settings"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	settings, rev, err := s.box.Settings(r.Context())
	if err != nil {
		return 0, nil, err
	}
	if in.Rev != rev {
		return 0, nil, stale(nil)
	}
	if err := (command{rest: in.Settings}).decode(&settings); err != nil {
		return 0, nil, err
	}
	if s.locksOut(settings, who) {
		return 0, nil, refused(lockedOut)
	}
	if err := s.box.ChangeSettings(r.Context(), rev, settings, who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	answer, err := s.apiConfig(r)
	return http.StatusOK, answer, err
}
