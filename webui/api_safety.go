package webui

import (
	"net/http"
	"strings"
)

// safetyJSON is the answer of /api/safety/check: what is wrong, and what may not
// be what the operator wants.
type safetyJSON struct {
	Safe     bool        `json:"safe"` // nothing is critical
	Critical []issueJSON `json:"critical_issues"`
	Warnings []issueJSON `json:"warnings"`
}

type issueJSON struct {
	Severity string `json:"severity"` // critical or warning
	Param    string `json:"param"`    // a setting, or a part of the box such as ledger
	Message  string `json:"message"`
	Advice   string `json:"recommendation"`
}

// apiSafety looks at the settings and at the box. Settings that would lose money
// for certain cannot be stored, so what is critical comes from the box.
func (s *site) apiSafety(r *http.Request) (any, error) {
	settings, _, err := s.box.Settings(r.Context())
	if err != nil {
		return nil, err
	}
	answer := safetyJSON{Critical: []issueJSON{}, Warnings: []issueJSON{}}
	for _, sentence := range sentences(settings.Validate()) {
		answer.Critical = append(answer.Critical, issueJSON{"critical", "settings", sentence, "Change it on the settings page."})
	}
	for _, c := range s.box.Health(r.Context()).Checks {
		issue := issueJSON{Severity: "warning", Param: c.Name, Message: strings.TrimSpace(c.Reason), Advice: c.NextStep}
		switch c.Status {
		case "down":
			issue.Severity = "critical"
			answer.Critical = append(answer.Critical, issue)
		case "degraded":
			answer.Warnings = append(answer.Warnings, issue)
		}
	}
	for _, risk := range settings.Risks() {
		answer.Warnings = append(answer.Warnings, issueJSON{"warning", risk.Setting, risk.Message, risk.Advice})
	}
	answer.Safe = len(answer.Critical) == 0
	return answer, nil
}
