package webui

import "net/http"

// healthJSON is the answer of /api/health, for monitors and for people:
//
//	{"service": "dmpool", "status": "healthy",
//	 "checks": {"node": {"status": "healthy", "reason": "…", "next_step": "…"}, …}}
//
// A status is healthy, degraded or down. The checks are those of
// [appliance.Appliance.Health]. Everybody may ask, but only a signed-in operator gets the
// box's own reason and next_step: these name heights, amounts, paths and errors.
// Others get one fixed sentence for each check and status.
type healthJSON struct {
	Service string               `json:"service"`
	Status  string               `json:"status"`
	Checks  map[string]checkJSON `json:"checks"`
}

type checkJSON struct {
	Status   string `json:"status"`
	Reason   string `json:"reason,omitempty"`
	NextStep string `json:"next_step,omitempty"`
}

// apiHealth answers 200 while the pool works, if in part, and 503 when it is
// down. It answers also without the database, where everybody is a stranger.
func (s *site) apiHealth(w http.ResponseWriter, r *http.Request, _ caller) error {
	who, err := s.identify(r)
	private := err == nil && who.signedIn()

	h := s.box.Health(r.Context())
	v := healthJSON{Service: "dmpool", Status: h.Status, Checks: map[string]checkJSON{}}
	for _, c := range h.Checks {
		if private {
			v.Checks[c.Name] = checkJSON{Status: c.Status, Reason: c.Reason, NextStep: c.NextStep}
		} else {
			v.Checks[c.Name] = checkJSON{Status: c.Status, Reason: publicReason(c.Name, c.Status)}
		}
	}
	w.Header().Add("Vary", "Cookie")
	w.Header().Set("Cache-Control", "no-store")
	status := http.StatusOK
	if h.Status == "down" {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, r, status, v)
}

// publicReason is what a stranger is told about a check: as much as its name
// and status say already.
func publicReason(name, status string) string {
	switch name + " " + status {
	case "node healthy":
		return "The node answers."
	case "node degraded":
		return "The node is not ready."
	case "node down":
		return "The node does not run."
	case "stratum healthy":
		return "Miners get work."
	case "stratum degraded":
		return "Miners get no new work."
	case "stratum down":
		return "Miners cannot connect."
	case "db healthy":
		return "The databases answer."
	case "db down":
		return "A database does not answer."
	case "wallet healthy":
		return "The wallet is ready."
	case "wallet degraded", "wallet down":
		return "The wallet is not ready; payouts wait."
	case "disk healthy":
		return "There is room on the disk."
	case "disk degraded", "disk down":
		return "The disk is nearly full."
	case "service healthy":
		return "The system keeps the pool running."
	case "service degraded", "service down":
		return "The system does not let the pool start or stop its node: polkit refuses, or does not run. On the machine, dmpool doctor says more."
	case "ports healthy":
		return "The ports for miners are open."
	case "ports degraded", "ports down":
		return "A port for miners is not open."
	case "shares healthy":
		return "Shares are written down."
	case "shares degraded":
		return "Miners are connected and send no shares."
	case "shares down":
		return "Shares cannot be written down."
	case "backup healthy":
		return "Nothing is wrong with the backups."
	case "backup degraded", "backup down":
		return "The operator should look at the backups."
	case "memory healthy":
		return "There is enough memory."
	case "memory degraded", "memory down":
		return "There is little memory left."
	case "clock healthy":
		return "The clock can be right."
	case "clock degraded", "clock down":
		return "The clock is wrong."
	case "ledger healthy":
		return "The books agree."
	case "ledger degraded":
		return "The operator should look at the books."
	case "ledger down":
		return "No payout is made until the operator has looked at the books."
	}
	switch status {
	case "healthy":
		return "All is well."
	case "degraded":
		return "It works in part."
	}
	return "It does not work."
}
