package appliance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// maxCertificate bounds each of the two files: a chain of four certificates with the
// largest keys in use has half of it.
const maxCertificate = 24 << 10

// Import puts a certificate of the operator's, with those that vouch for it, and its
// key into the place of the box's own, both in PEM. Browsers get it with their next
// connection. What is wrong with it is a [*PersonError], and nothing is changed then.
func (c *PageCertificate) Import(certificate, key []byte) error {
	text, pair, err := readPair(certificate, key)
	if err == nil {
		err = c.fits(pair.Leaf)
	}
	if err != nil {
		return &PersonError{err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := renameio.WriteFile(c.file, text, 0o600); err != nil {
		return fmt.Errorf("certificate %s: %w", c.file, err)
	}
	c.pair, c.looked = pair, c.now()
	c.log.Info("The pages have a certificate of the operator's", "sha256", Fingerprint(pair.Leaf), "until", pair.Leaf.NotAfter.UTC())
	return nil
}

// Imported tells whether the certificate in force is the operator's.
func (c *PageCertificate) Imported() (bool, error) {
	leaf, err := c.Leaf()
	return err == nil && !isOwn(leaf), err
}

// Renew makes a certificate of the box's own, in the place of the operator's.
func (c *PageCertificate) Renew() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	pair, err := c.renew(now)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", c.file, err)
	}
	c.pair, c.looked = pair, now
	return nil
}

// readPair takes certificate and key out of two files, whichever comes first, and
// returns them in one, as the box keeps them.
func readPair(certificate, key []byte) (text []byte, pair *tls.Certificate, err error) {
	if len(certificate) > maxCertificate || len(key) > maxCertificate {
		return nil, nil, errors.New("one of the files is far too large for a certificate or a key")
	}
	var chain, keys bytes.Buffer
	for rest := slices.Concat(certificate, []byte("\n"), key); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		into := &chain
		switch {
		case strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, nil, errors.New("the key is locked with a passphrase, which nobody could type when the box starts; take the passphrase off first")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			into = &keys
		case block.Type != "CERTIFICATE":
			continue
		}
		if err := pem.Encode(into, block); err != nil {
			return nil, nil, fmt.Errorf("encode certificate: %w", err)
		}
	}
	switch {
	case chain.Len() == 0:
		return nil, nil, errors.New("there is no certificate in the files; it is a text that begins with BEGIN CERTIFICATE")
	case keys.Len() == 0:
		return nil, nil, errors.New("there is no key in the files; it is a text that begins with BEGIN PRIVATE KEY")
	}
	text = slices.Concat(chain.Bytes(), keys.Bytes())
	loaded, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, nil, errors.New("the key does not belong to the certificate, or one of them is damaged; the certificate of the box itself comes before those that vouch for it")
	}
	return text, &loaded, nil
}

// fits returns why browsers would not take a certificate for this box.
func (c *PageCertificate) fits(leaf *x509.Certificate) error {
	now := c.now()
	const day = "2 January 2006"
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate ended on %s", leaf.NotAfter.UTC().Format(day))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate begins on %s only; is the clock of this box right?", leaf.NotBefore.UTC().Format(day))
	case len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return errors.New("the certificate was not made for a web server")
	}
	want := c.wanted(now)
	called := slices.Clone(want.DNSNames)
	for _, ip := range want.IPAddresses {
		called = append(called, ip.String())
	}
	called = slices.DeleteFunc(called, func(name string) bool {
		ip := net.ParseIP(name)
		return name == "localhost" || ip != nil && ip.IsLoopback()
	})
	if slices.ContainsFunc(called, func(name string) bool { return leaf.VerifyHostname(name) == nil }) {
		return nil
	}
	return fmt.Errorf("the certificate is for %s, which is no name and no address of this box: it is called %s. Further names are given with --host-name",
		namesOf(leaf), strings.Join(called, ", "))
}

// namesOf is what a certificate stands for.
func namesOf(leaf *x509.Certificate) string {
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name at all"
	}
	return strings.Join(names, ", ")
}
