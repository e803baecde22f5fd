package appliance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

const (
	// pageCertificateLife is below the 825 days beyond which Apple's devices take no
	// certificate, whoever trusts it.
	pageCertificateLife = 800 * 24 * time.Hour
	// pageCertificateSpare is how long before its end a certificate is renewed.
	pageCertificateSpare = 30 * 24 * time.Hour
	// pageCertificateLook is how often it is looked at whether it still fits.
	pageCertificateLook = time.Minute
)

// PageCertificate is what the pages show browsers over TLS: a certificate that this
// box has made for itself, kept in its data directory. It stands for this box only
// and can sign nothing, so that whoever trusts it trusts nothing else.
//
// Everybody who has confirmed it has to do so again after a renewal. So there is a
// new one only before it ends, and when the box has a name or an IPv4 address that
// is not in it; IPv6 addresses come and go by themselves.
//
// An operator may bring another certificate with its key ([PageCertificate.Import]), or
// put them into the file, which is taken up within a minute. Such a one is never renewed
// or overwritten.
type PageCertificate struct {
	file  string
	names []string // by which browsers call the box, besides its own
	log   *slog.Logger
	now   func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	looked time.Time
}

// NewPageCertificate returns the certificate of the box with that data directory.
// Nothing is read or made until somebody asks for it.
func NewPageCertificate(dir string, names []string, log *slog.Logger) *PageCertificate {
	return &PageCertificate{file: dataDir{dir}.pages(), names: names, log: log, now: time.Now}
}

// TLS returns how the pages are served.
func (c *PageCertificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current() },
	}
}

// Leaf returns the certificate in force.
func (c *PageCertificate) Leaf() (*x509.Certificate, error) {
	pair, err := c.current()
	if err != nil {
		return nil, err
	}
	return pair.Leaf, nil
}

// current reads the certificate, and makes one where there is none that fits.
func (c *PageCertificate) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.pair != nil && now.Sub(c.looked).Abs() < pageCertificateLook {
		return c.pair, nil
	}
	pair, err := c.read()
	if err != nil && c.pair != nil { // somebody is just replacing the file
		c.log.Warn("The certificate of the pages cannot be read; the one before stays", "err", err)
		pair, err = c.pair, nil
	}
	if err == nil && (pair == nil || c.outdated(pair.Leaf, now)) {
		pair, err = c.renew(now)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", c.file, err)
	}
	c.pair, c.looked = pair, now
	return pair, nil
}

// read returns what is in the file, nil when there is none.
func (c *PageCertificate) read() (*tls.Certificate, error) {
	text, err := os.ReadFile(c.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	return &pair, err
}

// outdated tells whether a certificate is one of ours and does not fit any more.
func (c *PageCertificate) outdated(leaf *x509.Certificate, now time.Time) bool {
	if !isOwn(leaf) {
		return false
	}
	if now.After(leaf.NotAfter.Add(-pageCertificateSpare)) || now.Before(leaf.NotBefore) {
		return true
	}
	want := c.wanted(now)
	for _, name := range want.DNSNames {
		if !slices.Contains(leaf.DNSNames, name) {
			return true
		}
	}
	return slices.ContainsFunc(want.IPAddresses, func(ip net.IP) bool {
		return ip.To4() != nil && !slices.ContainsFunc(leaf.IPAddresses, ip.Equal)
	})
}

// isOwn tells whether this program has made a certificate.
func isOwn(leaf *x509.Certificate) bool {
	return bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.Subject.CommonName == ownIssuer
}

func (c *PageCertificate) wanted(now time.Time) *x509.Certificate {
	template := forThisBox(now, pageCertificateLife)
	for _, name := range append([]string{"localhost"}, c.names...) {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if !slices.Contains(template.DNSNames, name) {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return template
}

func (c *PageCertificate) renew(now time.Time) (*tls.Certificate, error) {
	text, err := newCertificate(c.wanted(now))
	if err != nil {
		return nil, err
	}
	if err := renameio.WriteFile(c.file, text, 0o600); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	c.log.Info("The pages have a new certificate", "sha256", Fingerprint(pair.Leaf), "until", pair.Leaf.NotAfter.UTC())
	return &pair, nil
}
