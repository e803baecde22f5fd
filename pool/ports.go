package pool

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/dmpool/dmpool/pool/stratum"
)

// ExtraPorts is how the pool gets the Stratum ports that the settings ask for.
type ExtraPorts struct {
	// Open are listeners that are open already, by the name of the profile:
	// "small", "high", "tls". They are served whatever the settings say.
	Open map[string]net.Listener
	// Listen opens a port. Without it there are only those of Open.
	Listen func(ctx context.Context, purpose string, port int) (net.Listener, error)
	// TLS returns the certificate of the port with TLS.
	TLS func() (*tls.Config, error)
}

// PortStatus is how an extra port is.
type PortStatus struct {
	Name    string // of its profile: "small", "high", "tls"
	Addr    string // where it is open; empty: it is not
	TLS     bool
	Problem string // why it is not open, a sentence
}

// extraPort is a port besides the ordinary one.
type extraPort struct {
	profile stratum.Port
	port    int // 0: none
	tls     bool
}

// Difficulties of the extra ports (stratum.md 3.3).
const (
	smallStart = 0.0005 // a share in about 5 s from an ESP32
	smallFloor = 1e-5
	highFloor  = 524288 // what rental markets ask for
)

func (s Settings) extraPorts() []extraPort {
	return []extraPort{
		{profile: stratum.Port{Name: "small", Start: smallStart, Floor: smallFloor}, port: s.SmallPort},
		{profile: stratum.Port{Name: "high", Start: highFloor, Floor: highFloor}, port: s.HighPort},
		{profile: stratum.Port{Name: "tls"}, port: s.TLSPort, tls: true},
	}
}

// portRetry is how often a port that could not be opened is tried again.
const portRetry = 30 * time.Second

// servedPort is an extra port at work.
type servedPort struct {
	port  int
	addr  string
	stop  context.CancelFunc
	ended chan struct{}
}

// serveExtraPorts keeps the extra ports as the settings want them until ctx
// ends. One that cannot be opened keeps nobody else from mining.
func (p *Pool) serveExtraPorts(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	served := map[string]servedPort{}
	retry := time.NewTicker(portRetry)
	defer retry.Stop()
	for {
		status := []PortStatus{}
		for _, e := range p.settings.Load().extraPorts() {
			name := e.profile.Name
			if old, ok := served[name]; ok {
				if old.wanted(e, p.Ports.Open[name] != nil) {
					status = append(status, PortStatus{Name: name, Addr: old.addr, TLS: e.tls})
					continue
				}
				old.stop()
				<-old.ended
				delete(served, name)
			}
			ln, err := p.openPort(ctx, &e)
			if err != nil {
				p.Logger.Warn("Port for miners not open", "port", name, "err", err)
				status = append(status, PortStatus{Name: name, TLS: e.tls, Problem: sentence(err)})
			}
			if ln == nil {
				continue
			}
			portCtx, stop := context.WithCancel(ctx)
			s := servedPort{port: e.port, addr: ln.Addr().String(), stop: stop, ended: make(chan struct{})}
			served[name] = s
			group.Go(func() {
				defer close(s.ended)
				if err := p.server.ServePort(portCtx, ln, e.profile); err != nil {
					p.Logger.Warn("Port for miners closed", "port", name, "err", err)
				}
			})
			p.Logger.Info("Port for miners open", "port", name, "addr", s.addr)
			status = append(status, PortStatus{Name: name, Addr: s.addr, TLS: e.tls})
		}
		p.portStatus.Store(&status)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ports:
		case <-retry.C:
		}
	}
}

// wanted reports whether a port can go on as it is.
func (s servedPort) wanted(e extraPort, given bool) bool {
	select {
	case <-s.ended:
		return false
	default:
		return given || s.port == e.port
	}
}

// openPort returns the listener of an extra port, nil when none is wanted.
func (p *Pool) openPort(ctx context.Context, e *extraPort) (net.Listener, error) {
	ln := p.Ports.Open[e.profile.Name]
	if ln == nil && (e.port == 0 || p.Ports.Listen == nil) {
		return nil, nil
	}
	if e.tls {
		if p.Ports.TLS == nil {
			return nil, fmt.Errorf("there is no certificate")
		}
		var err error
		if e.profile.TLS, err = p.Ports.TLS(); err != nil {
			return nil, fmt.Errorf("make certificate: %w", err)
		}
	}
	if ln != nil {
		return ln, nil
	}
	return p.Ports.Listen(ctx, "miners ("+e.profile.Name+")", e.port)
}
