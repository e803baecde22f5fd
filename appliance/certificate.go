package appliance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// certificateLife is so long because nobody renews the certificate inside a
// miner's firmware.
const certificateLife = 20 * 365 * 24 * time.Hour

// stratumTLS returns the configuration of the Stratum port with TLS. The file
// holds the certificate and its key; an operator may put his own there. If
// there is none, one is made that signs itself: a miner either trusts this very
// certificate or checks none.
func stratumTLS(file string) (*tls.Config, error) {
	text, err := keptCertificate(file)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", file, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// keptCertificate reads the file of the Stratum port, and makes it if there is none.
func keptCertificate(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if text, err = newCertificate(forMiners(time.Now())); err == nil {
			err = renameio.WriteFile(file, text, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", file, err)
	}
	return text, nil
}

// StratumCertificate returns the certificate of the Stratum port with TLS, making
// it if there is none yet, so that a miner can be given it before the port is open.
func (a *Appliance) StratumCertificate() (*x509.Certificate, error) {
	text, err := keptCertificate(a.dir.certificate())
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", a.dir.certificate(), err)
	}
	return pair.Leaf, nil
}

// ownIssuer is who signs the certificates that this program makes.
const ownIssuer = "DMPool"

// forThisBox describes a certificate for this machine under all its names and
// addresses.
func forThisBox(now time.Time, life time.Duration) *x509.Certificate {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: ownIssuer},
		NotBefore:             now.Add(-24 * time.Hour), // clocks of miners and phones are often wrong
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              hostNames(),
	}
	for _, text := range lanAddresses() {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(text))
	}
	return template
}

// hostNames is what this machine is called, plain and as multicast DNS announces it.
func hostNames() []string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return nil
	}
	short, _, _ := strings.Cut(name, ".")
	names := []string{name, short, short + ".local"}
	slices.Sort(names)
	return slices.Compact(names)
}

// forMiners describes the certificate of the Stratum port.
func forMiners(now time.Time) *x509.Certificate {
	template := forThisBox(now, certificateLife)
	template.KeyUsage |= x509.KeyUsageCertSign
	template.IsCA = true // some firmware only takes an authority's certificate
	return template
}

// newCertificate makes the certificate that template describes, signed by itself,
// and its key, in PEM.
func newCertificate(template *x509.Certificate) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := pem.Encode(&text, block); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// Fingerprint writes the SHA-256 of a certificate as browsers show it, two digits
// at a time with colons between them.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
