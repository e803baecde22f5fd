package webui

import (
	"net/http"

	"github.com/dmpool/dmpool/appliance/drill"
)

// apiDrills lists the fire drills, the newest first; one that runs is in front.
func (s *site) apiDrills(r *http.Request) (any, error) {
	v, err := s.box.Drills()
	if err != nil {
		return nil, err
	}
	list := v.Last
	if v.Now != nil {
		list = append([]drill.Report{*v.Now}, list...)
	}
	return paged(r, list, func(r drill.Report) drill.Report { return r })
}

// begunJSON is the answer to a command whose outcome is to be asked for.
type begunJSON struct {
	Begun bool `json:"begun"`
}

func (s *site) doDrill(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	if err := s.box.StartDrill(r.Context(), who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, begunJSON{true}, nil
}
