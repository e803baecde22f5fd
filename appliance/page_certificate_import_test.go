package appliance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

// issued is a certificate with its key in PEM, as an authority at home makes them.
func issued(t *testing.T, change func(*x509.Certificate)) (certificate, key []byte) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "pool.lan"}, DNSNames: []string{"pool.lan"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(leaf)
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// A certificate of the operator's is in force at once and after a restart, is in a
// file that only the box reads, and can be given up again.
func TestImportPageCertificate(t *testing.T) {
	c, now := pageCertificate(t)
	first := leafOf(t, c)
	certificate, key := issued(t, func(*x509.Certificate) {})
	if err := c.Import(certificate, key); err != nil {
		t.Fatal(err)
	}
	leaf := leafOf(t, c)
	if yes, err := c.Imported(); err != nil || !yes || leaf.Equal(first) {
		t.Errorf("imported: %v, %v", yes, err)
	}
	if info, err := os.Stat(c.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the key: %v, %v", info, err)
	}
	*now = now.Add(2 * time.Hour) // after its end it is still the operator's
	again := NewPageCertificate(strings.TrimSuffix(c.file, "/pages.pem"), c.names, c.log)
	again.now = c.now
	if !leafOf(t, again).Equal(leaf) {
		t.Error("there is another certificate after a restart")
	}
	if err := c.Renew(); err != nil {
		t.Fatal(err)
	}
	if yes, err := c.Imported(); err != nil || yes || leafOf(t, c).Equal(first) {
		t.Errorf("after it was given up: %v, %v", yes, err)
	}
}

// What browsers would not take is refused with a sentence, and nothing changes.
func TestImportPageCertificateRefused(t *testing.T) {
	c, _ := pageCertificate(t)
	before := leafOf(t, c)
	certificate, key := issued(t, func(*x509.Certificate) {})
	_, other := issued(t, func(*x509.Certificate) {})
	changed := func(change func(*x509.Certificate)) [2][]byte {
		certificate, key := issued(t, change)
		return [2][]byte{certificate, key}
	}
	locked := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for want, files := range map[string][2][]byte{
		"no certificate in the files":      {nil, key},
		"no key in the files":              {certificate, []byte("holiday.jpg")},
		"does not belong":                  {certificate, other},
		"locked with a passphrase":         {certificate, locked},
		"far too large":                    {make([]byte, maxCertificate+1), key},
		"ended on":                         changed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
		"begins on":                        changed(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }),
		"not made for a web server":        changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		"is for bank.example, which is no": changed(func(c *x509.Certificate) { c.DNSNames = []string{"bank.example"} }),
		"is for localhost, which is no":    changed(func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }),
		"is for no name at all":            changed(func(c *x509.Certificate) { c.DNSNames = nil }),
	} {
		err := c.Import(files[0], files[1])
		if _, refused := errors.AsType[*PersonError](err); !refused || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if !leafOf(t, c).Equal(before) {
		t.Error("the certificate has changed")
	}
	if err := c.Import(key, certificate); err != nil { // the files are told apart
		t.Errorf("the other way round: %v", err)
	}
	wild, key := issued(t, func(c *x509.Certificate) { c.DNSNames = []string{"*.lan"} })
	if err := c.Import(wild, key); err != nil {
		t.Errorf("for all names of the network: %v", err)
	}
}
