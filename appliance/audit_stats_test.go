package appliance

import (
	"fmt"
	"testing"
	"time"
)

func TestAuditStats(t *testing.T) {
	a, _, _ := peopled(t) // one entry, of the second person
	before, err := a.AuditStats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 12 {
		for range i + 2 {
			e := AuditEntry{At: at.Add(time.Duration(i) * time.Hour), Actor: "anna", Action: fmt.Sprintf("act-%02d", i), Object: "thing", Result: "ok"}
			if i == 11 {
				e.Result = "not today"
			}
			if err := a.Audit(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := a.AuditStats(t.Context())
	if err != nil || s.Total != before.Total+90 || s.Failed != before.Failed+13 || !s.Oldest.Equal(at) || !s.Newest.Equal(before.Newest) {
		t.Errorf("%+v, %v; before %+v", s, err, before)
	}
	if len(s.Actions) != 10 || s.Actions[0] != (AuditCount{"act-11", 13}) || s.Actions[9] != (AuditCount{"act-02", 4}) {
		t.Errorf("actions %+v", s.Actions)
	}
	found, err := a.FindAudit(t.Context(), AuditFilter{Object: "thing", Action: "act-00", Limit: 10})
	if err != nil || len(found) != 2 {
		t.Errorf("found %+v, %v", found, err)
	}
}
