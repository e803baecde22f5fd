package main

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// The port of the encrypted pages stands beside the plain one, and a taken one
// costs a sentence.
func TestOpenHTTPS(t *testing.T) {
	open := func(https string) (*box, string) {
		t.Helper()
		var log bytes.Buffer
		f := serveFlags{dataDir: t.TempDir(), http: "127.0.0.1:0", https: https, stratum: "127.0.0.1:0"}
		b, err := openPorts(t.Context(), f, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.closePages(); b.miners.Close() })
		b.announceHTTPS()
		return b, log.String()
	}
	first, log := open("127.0.0.1:0")
	if first.secure == nil || first.window.HTTPS.Port == 0 || !strings.Contains(log, "sha256=") {
		t.Fatalf("no port over TLS: %s", log)
	}
	taken := first.secure.Addr().(*net.TCPAddr).AddrPort().String()
	if b, log := open(taken); b.secure != nil || b.window.HTTPS != nil || !strings.Contains(log, taken) || !strings.Contains(log, "taken") {
		t.Errorf("a taken port: %s", log)
	}
	if b, log := open(httpsOff); b.secure != nil || log != "" {
		t.Errorf("off: %s", log)
	}
	auto, _ := open(httpsAuto)
	if auto.secure != nil && auto.secure.Addr().String() != "127.0.0.1:8443" {
		t.Errorf("auto opens %s, want it for the visitors of --http only", auto.secure.Addr())
	}
}
