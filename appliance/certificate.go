package appliance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
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
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if text, err = newCertificate(time.Now()); err == nil {
			err = renameio.WriteFile(file, text, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", file, err)
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", file, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// newCertificate returns a certificate for this box and its key, in PEM.
func newCertificate(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "DMPool"},
		NotBefore:             now.Add(-24 * time.Hour), // miners' clocks are often wrong
		NotAfter:              now.Add(certificateLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // some firmware only takes an authority's certificate
	}
	if name, err := os.Hostname(); err == nil {
		template.DNSNames = []string{name, name + ".local"}
	}
	for _, text := range lanAddresses() {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(text))
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
