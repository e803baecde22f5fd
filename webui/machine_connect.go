package webui

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
)

func (m *machine) Connect(ctx context.Context) connectView {
	v := connectView{Hosts: m.box.Addresses(), Port: m.box.StratumPort(), Settlement: m.box.Settings().Settlement}
	p := m.box.Pool()
	if p == nil {
		return v
	}
	status := p.Status()
	for _, port := range status.Ports {
		_, number, err := net.SplitHostPort(port.Addr)
		if n, convErr := strconv.Atoi(number); err == nil && convErr == nil {
			v.Extra = append(v.Extra, connectPort{Name: port.Name, Port: n, TLS: port.TLS})
		}
	}
	for _, s := range status.Sessions {
		for _, w := range s.Workers {
			v.Seen = append(v.Seen, seenLine{Name: w.Name, UserAgent: s.UserAgent, At: s.ConnectedAt, LastShare: s.LastShareAt})
			if s.Accepted > 0 {
				v.Online++
			}
		}
	}
	slices.SortStableFunc(v.Seen, func(a, b seenLine) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return v
}
