package appliance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// pageCertificate is the one of a new box, at a clock that the test moves.
func pageCertificate(t *testing.T) (c *PageCertificate, now *time.Time) {
	t.Helper()
	at := time.Now()
	c = NewPageCertificate(t.TempDir(), []string{"pool.lan", "192.168.77.5"}, slog.New(slog.DiscardHandler))
	c.now = func() time.Time { return at }
	return c, &at
}

func leafOf(t *testing.T, c *PageCertificate) *x509.Certificate {
	t.Helper()
	leaf, err := c.Leaf()
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// The certificate stands for this box under each of its names, and for nothing else.
func TestPageCertificate(t *testing.T) {
	c, _ := pageCertificate(t)
	leaf := leafOf(t, c)
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is %T, want P-256", leaf.PublicKey)
	}
	if leaf.IsCA || leaf.KeyUsage&x509.KeyUsageCertSign != 0 {
		t.Error("the certificate can vouch for others")
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 825*24*time.Hour {
		t.Errorf("it lasts %v, longer than Apple's devices take", life)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	names := append([]string{"localhost", "pool.lan", "192.168.77.5"}, hostNames()...)
	for _, name := range append(names, lanAddresses()...) {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "bank.example", Roots: roots}); err == nil {
		t.Error("it stands for bank.example")
	}
	info, err := os.Stat(c.file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the key: %v, %v", info.Mode(), err)
	}
	if again := NewPageCertificate(strings.TrimSuffix(c.file, "/pages.pem"), c.names, c.log); !leafOf(t, again).Equal(leaf) {
		t.Error("there is another certificate after a restart")
	}
}

func TestPageCertificateWantsTLS12(t *testing.T) {
	c, _ := pageCertificate(t)
	shake := func(most uint16) error {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		go func() { _ = tls.Server(server, c.TLS()).HandshakeContext(t.Context()) }()
		roots := x509.NewCertPool()
		roots.AddCert(leafOf(t, c))
		return tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: most}).HandshakeContext(t.Context())
	}
	if err := shake(tls.VersionTLS12); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
	if err := shake(tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is taken")
	}
}

// A renewal makes everybody confirm the certificate again, so it comes only when it
// must.
func TestPageCertificateIsRenewed(t *testing.T) {
	later := func(d time.Duration) func(*x509.Certificate, *time.Time) {
		return func(_ *x509.Certificate, now *time.Time) { *now = now.Add(d) }
	}
	without := func(drop func(net.IP) bool) func(*x509.Certificate, *time.Time) {
		return func(kept *x509.Certificate, _ *time.Time) {
			kept.IPAddresses = slices.DeleteFunc(kept.IPAddresses, drop)
		}
	}
	for name, tc := range map[string]struct {
		change func(kept *x509.Certificate, now *time.Time)
		want   bool
	}{
		"nothing":         {later(0), false},
		"a year later":    {later(365 * 24 * time.Hour), false},
		"soon at its end": {later(pageCertificateLife - pageCertificateSpare + time.Hour), true},
		"before its time": {later(-48 * time.Hour), true},
		"an IPv4 address": {without(func(ip net.IP) bool { return ip.Equal(net.IPv4(192, 168, 77, 5)) }), true},
		"IPv6 addresses":  {without(func(ip net.IP) bool { return ip.To4() == nil }), false},
		"a name":          {func(kept *x509.Certificate, _ *time.Time) { kept.DNSNames = kept.DNSNames[1:] }, true},
		"the operator's": {func(kept *x509.Certificate, _ *time.Time) {
			*kept = x509.Certificate{Subject: pkix.Name{CommonName: "pool.example"}, NotAfter: kept.NotAfter}
		}, false},
		"the operator's 2": {func(kept *x509.Certificate, now *time.Time) {
			kept.Subject.CommonName = "mine"
			*now = now.Add(9e4 * time.Hour)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, now := pageCertificate(t)
			kept := c.wanted(*now)
			tc.change(kept, now)
			text, err := newCertificate(kept)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			pair, err := tls.X509KeyPair(text, text)
			if err != nil {
				t.Fatal(err)
			}
			if renewed := !leafOf(t, c).Equal(pair.Leaf); renewed != tc.want {
				t.Errorf("renewed: %v, want %v", renewed, tc.want)
			}
		})
	}
}

// Whoever puts another certificate into the file sees it taken up; half a file does
// no harm, as long as there was one.
func TestPageCertificateFileChanges(t *testing.T) {
	c, now := pageCertificate(t)
	first := leafOf(t, c)
	if err := os.WriteFile(c.file, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(2 * pageCertificateLook)
	if !leafOf(t, c).Equal(first) {
		t.Error("half a file changed the certificate")
	}
	fresh := NewPageCertificate(strings.TrimSuffix(c.file, "/pages.pem"), nil, c.log)
	if _, err := fresh.Leaf(); err == nil || !strings.Contains(err.Error(), c.file) {
		t.Errorf("half a file at the start: %v, want an error that names it", err)
	}
	own := c.wanted(*now)
	own.Subject.CommonName = "pool.example"
	text, err := newCertificate(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(2 * pageCertificateLook)
	if got := leafOf(t, c).Subject.CommonName; got != "pool.example" {
		t.Errorf("the certificate of %q is shown, want the operator's own", got)
	}
}
