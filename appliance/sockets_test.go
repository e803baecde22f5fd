package appliance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInheritSockets runs this test program again as a service manager would:
// with open sockets from descriptor 3 on.
func TestInheritSockets(t *testing.T) {
	if os.Getenv("LISTEN_FDS") != "" {
		inherit(t)
		return
	}
	tests := []struct{ name, names, want string }{
		{"all", "http:stratum:stratum-small", "PASS"},
		{"unknown", "http:stratum:telnet", "passed 1 sockets named"},
		{"twice", "http:stratum:stratum", "passed 2 sockets named"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var files []*os.File
			for range strings.Split(test.names, ":") {
				ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				f, err := ln.(*net.TCPListener).File()
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				files = append(files, f)
			}
			// The shell knows its own process id, which must be in LISTEN_PID.
			cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run '^TestInheritSockets$' -test.v`, os.Args[0])
			cmd.Env = append(os.Environ(), "LISTEN_FDS=3", "LISTEN_FDNAMES="+test.names)
			cmd.ExtraFiles = files
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), test.want) {
				t.Errorf("want %q in:\n%s", test.want, out)
			}
		})
	}
}

// inherit is what the second program does.
func inherit(t *testing.T) {
	sockets, err := InheritSockets()
	if err != nil {
		t.Fatal(err)
	}
	given := sockets["stratum"].Addr().String()
	ln, err := sockets.Listen(context.Background(), slog.New(slog.DiscardHandler), "stratum", "miners", given, "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	if ln.Addr().String() != given {
		t.Errorf("the port is %s, want the one that was passed, %s", ln.Addr(), given)
	}
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	a := &Appliance{config: Config{Sockets: sockets}}
	if open := a.extraPorts().Open; len(open) != 1 || open["small"] == nil {
		t.Errorf("extra ports %v, want small", open)
	}
}

// A socket that the settings do not name is not used, and nobody waits there.
func TestSocketDoesNotFit(t *testing.T) {
	given, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sockets := Sockets{"stratum": given}
	var said strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	ln, err := sockets.Listen(ctx, slog.New(slog.NewTextHandler(&said, nil)), "stratum", "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if ln == given || !strings.Contains(said.String(), "dmpool-stratum.socket") {
		t.Errorf("listens at %s, says %q; want a port of its own and what to do", ln.Addr(), &said)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", given.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a miner at the other port is told %v, want the end of its connection", err)
	}
	cancel()
	for {
		if _, err := given.Accept(); errors.Is(err, net.ErrClosed) {
			break
		}
	}
}

func TestFits(t *testing.T) {
	all, one := &net.TCPAddr{IP: net.IPv6unspecified, Port: 3333}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3333}
	for _, c := range []struct {
		open net.Addr
		wish string
		want bool
	}{
		{all, ":3333", true},
		{all, "0.0.0.0:3333", true},
		{all, "[::]:3333", true},
		{all, ":3334", false},
		{all, "127.0.0.1:3333", false},
		{one, "127.0.0.1:3333", true},
		{one, ":3333", false},
		{one, "nonsense", false},
		{&net.UnixAddr{Name: "x"}, ":3333", false},
	} {
		if got := fits(t.Context(), c.open, c.wish); got != c.want {
			t.Errorf("%s for %s: %v, want %v", c.open, c.wish, got, c.want)
		}
	}
}

func TestStratumCertificate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stratum.pem")
	first, err := stratumTLS(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := stratumTLS(file)
	if err != nil {
		t.Fatal(err)
	}
	der := first.Certificates[0].Certificate[0]
	if string(der) != string(again.Certificates[0].Certificate[0]) {
		t.Error("another certificate at the second start: miners trust the first one")
	}

	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(cert)
	client, server := net.Pipe()
	defer client.Close()
	shaken := make(chan error, 1)
	go func() { shaken <- tls.Server(server, first).HandshakeContext(t.Context()) }()
	if err := tls.Client(client, &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1"}).HandshakeContext(t.Context()); err != nil {
		t.Errorf("a miner that trusts the certificate: %v", err)
	}
	if err := <-shaken; err != nil {
		t.Errorf("server: %v", err)
	}

	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stratumTLS(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a broken file gives %v, want an error that names it", err)
	}
}
