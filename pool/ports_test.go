package pool

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/node"
)

// The extra ports open and close with the settings, without a restart, and each
// has its own difficulties.
func TestExtraPorts(t *testing.T) {
	settings := DefaultSettings("regtest")
	opened := make(chan string, 10)
	listen := func(ctx context.Context, purpose string, port int) (net.Listener, error) {
		if port == 666 {
			return nil, errors.New("port is taken")
		}
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err == nil {
			opened <- ln.Addr().String()
		}
		return ln, err
	}
	given, err := listen(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	<-opened
	p, err := New(Config{
		Network: "regtest", Settings: settings, Logger: slog.New(slog.DiscardHandler), Source: new(node.Source),
		Ports: ExtraPorts{
			Open: map[string]net.Listener{"high": given}, Listen: listen,
			TLS: func() (*tls.Config, error) { return nil, errors.New("no certificate") },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.serveExtraPorts(ctx) }()
	defer func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("serveExtraPorts = %v", err)
		}
	}()
	talks(t, given.Addr().String())

	settings.TLSPort = 3335 // has no certificate, but keeps nobody else from mining
	settings.SmallPort = 3334
	if err := p.Apply(settings); err != nil {
		t.Fatal(err)
	}
	first := <-opened
	talks(t, first)

	settings.SmallPort = 3336
	if err := p.Apply(settings); err != nil {
		t.Fatal(err)
	}
	second := <-opened // after the first one is closed
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(t.Context(), "tcp", first); err == nil {
		conn.Close()
		t.Error("the port before is still open")
	}
	talks(t, second)

	settings.SmallPort = 666
	if err := p.Apply(settings); err != nil {
		t.Fatal(err)
	}
	want := []PortStatus{
		{Name: "small", Problem: "Port is taken"},
		{Name: "high", Addr: given.Addr().String()},
		{Name: "tls", TLS: true, Problem: "Make certificate: no certificate"},
	}
	var diff string
	for range 500 {
		if diff = cmp.Diff(want, p.Status().Ports); diff == "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	talks(t, given.Addr().String())
}

func talks(t *testing.T, addr string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, `{"id":1,"method":"mining.subscribe","params":[]}`)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "mining.notify") {
		t.Errorf("%s: subscribe answered by %q, %v", addr, line, err)
	}
}

func TestValidateMiners(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Settings)
		want   string // part of the sentence; empty: valid
	}{
		{"defaults", func(*Settings) {}, ""},
		{"all ports", func(s *Settings) { s.SmallPort, s.HighPort, s.TLSPort = 3334, 4334, 3335 }, ""},
		{"same port twice", func(s *Settings) { s.SmallPort, s.TLSPort = 3334, 3334 }, "wanted for both small and tls"},
		{"no such port", func(s *Settings) { s.HighPort = 70000 }, "port 70000 for high does not exist"},
		{"no sessions", func(s *Settings) { s.MaxSessions = 0 }, "0 connections"},
		{"no address", func(s *Settings) { s.MaxPerAddress = 0 }, "at least one"},
		{"no rate", func(s *Settings) { s.SubmitRate = 0 }, "0 shares per second"},
		{"too impatient", func(s *Settings) { s.WorklessSecs = 60 }, "600 seconds"},
		{"proxies", func(s *Settings) { s.TrustedProxies = "10.0.0.0/8, 192.168.1.5/32" }, ""},
		{"no network", func(s *Settings) { s.TrustedProxies = "proxy.example" }, "no network"},
		{"two hours", func(s *Settings) { s.WorklessSecs = 7200 }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := DefaultSettings("main")
			test.change(&s)
			err := s.Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Validate = %v, want %q", err, test.want)
			}
		})
	}
}
