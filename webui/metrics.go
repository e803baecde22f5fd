package webui

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/prometheus/common/expfmt"

	"github.com/dmpool/dmpool/pool"
)

// metricsPath is where monitors look for it.
const metricsPath = "/metrics"

// prometheus answers a scrape. Package metrics says what is told.
func (s *site) prometheus(w http.ResponseWriter, _ *http.Request, _ caller) error {
	if s.box.Rules().Metrics == pool.MetricsOff {
		return notFound()
	}
	families, err := s.figures.Gather()
	if err != nil {
		return fmt.Errorf("gather figures: %w", err)
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain) // which every Prometheus reads
	var body bytes.Buffer
	out := expfmt.NewEncoder(&body, format)
	for _, f := range families {
		if err := out.Encode(f); err != nil {
			return fmt.Errorf("write figures: %w", err)
		}
	}
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(body.Bytes())
	return gone(err)
}

// isMonitor reports whether the operator lets this program scrape without a token: one
// on this machine that asks for itself. What a proxy passes on, named or not, may come
// from anywhere.
func (s *site) isMonitor(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return s.box.Rules().Metrics == pool.MetricsLocal && remoteIP(r).IsLoopback() && !isProxied(r)
}
