package stratum

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A port with TLS, and one that gets something else.
func TestTLSPort(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	server := NewServer(Config{}, rowBackend())
	server.Publish(newJob(t, server, 1, hard), true)
	addr := servePort(t, server, Port{Name: "tls", TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}).String()

	plain, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprint(plain, subscribeLine("x"))
	text := make([]byte, 4096)
	if n, _ := plain.Read(text); strings.Contains(string(text[:n]), "mining.notify") {
		t.Errorf("without TLS: answered %q", text[:n])
	}

	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, subscribeLine("bitaxe")+authorizeLine)
	var all strings.Builder
	for !strings.Contains(all.String(), ",true]}") {
		n, err := conn.Read(text)
		if err != nil {
			t.Fatalf("after %q: %v", all.String(), err)
		}
		all.Write(text[:n])
	}
	server.Publish(newJob(t, server, 2, hard), true)
	if n, err := conn.Read(text); err != nil || !strings.Contains(string(text[:n]), "mining.notify") {
		t.Errorf("new tip: %q, %v", text[:n], err)
	}
	if info := server.Sessions(); len(info) != 1 || info[0].Port != "tls" {
		t.Errorf("sessions %v", info)
	}
}

// Behind a trusted proxy the miners count by their own addresses; nobody else
// can choose his.
func TestProxyHeader(t *testing.T) {
	config := Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	tests := []struct{ name, from, header, remote string }{
		{"IPv4", "192.0.2.1:1", "PROXY TCP4 203.0.113.5 192.0.2.1 40000 3333\r\n", "203.0.113.5:40000"},
		{"IPv6", "192.0.2.1:1", "PROXY TCP6 2001:db8::5 2001:db8::1 40000 3333\r\n", "[2001:db8::5]:40000"},
		{"unknown", "192.0.2.1:1", "PROXY UNKNOWN\r\n", "192.0.2.1:1"},
		{"none", "192.0.2.1:1", "", ""},
		{"half", "192.0.2.1:1", "PROXY TCP4 203.0.113.5\r\n", ""},
		{"no address", "192.0.2.1:1", "PROXY TCP4 a b c d\r\n", ""},
		{"endless", "192.0.2.1:1", "PROXY " + strings.Repeat("x", 200), ""},
		{"not trusted", "198.51.100.1:1", "PROXY TCP4 203.0.113.5 192.0.2.1 40000 3333\r\n", ""},
		{"not trusted, none", "198.51.100.1:1", "", "198.51.100.1:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, config, rowBackend(), func(w *world) {
				w.server.Publish(w.job(1, hard), true)
				m := w.connectFrom(test.from)
				_, _ = m.conn.Write([]byte(test.header + subscribeLine("x") + authorizeLine))
				m.received()
				time.Sleep(time.Second)
				remote := ""
				if infos := w.server.Sessions(); len(infos) > 0 {
					remote = infos[0].Remote
				}
				if remote != test.remote {
					t.Errorf("the miner is %q, want %q", remote, test.remote)
				}
				time.Sleep(time.Minute)
				if (test.remote == "") != m.closed() {
					t.Errorf("closed %v", m.closed())
				}
			})
		})
	}
}
