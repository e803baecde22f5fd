package webui

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// HTTPS is where the same pages are served over TLS, and by which certificate they
// are known there.
type HTTPS struct {
	Port        int
	Certificate func() (*x509.Certificate, error)
	Keeper      certificateKeeper // nil: the certificate is not changed in the pages
}

// certificateKeeper changes the certificate of the pages, see
// [appliance.PageCertificate].
type certificateKeeper interface {
	Import(certificate, key []byte) error
	Imported() (bool, error)
	Renew() error
}

// The files that the certificates are given away as.
const (
	pageCertificatePath    = "/certificate.pem"
	stratumCertificatePath = "/stratum-certificate.pem"
)

// secureURL is the same page over TLS, for an operator who is on another machine and
// sees it without. It is empty for everybody else: nothing is in between on the box
// itself, and what a proxy that the operator named does is the operator's to know.
func (s *site) secureURL(r *http.Request, who caller) string {
	if s.https == nil || r.TLS != nil || !who.signedIn() || who.IP.IsLoopback() || isProxied(r) {
		return ""
	}
	return s.overTLS(r) + comesFrom(r)
}

// overTLS is the box over TLS, as the browser calls it, which knownHost has looked at.
func (s *site) overTLS(r *http.Request) string {
	return "https://" + net.JoinHostPort(hostname(r.Host), strconv.Itoa(s.https.Port))
}

// certificateView is a certificate that people compare or take with them.
type certificateView struct {
	Fingerprint string // SHA-256
	Until       time.Time
	Path        string // of the file
	URL         string // where it is shown; of the pages only
	Imported    bool   // the operator's
	Changes     bool   // it can be changed here
}

// certificates fills what the page about the box says of its certificates. One that
// cannot be read is left out; the log has the reason.
func (s *site) certificates(r *http.Request) (pages, stratum *certificateView) {
	return s.pagesOverTLS(r), s.certificateView(stratumCertificatePath, s.box.StratumCertificate)
}

// pagesOverTLS is where the pages are over TLS and what they are known by, nil for
// nowhere.
func (s *site) pagesOverTLS(r *http.Request) *certificateView {
	if s.https == nil {
		return nil
	}
	v := s.certificateView(pageCertificatePath, s.https.Certificate)
	if v == nil {
		return nil
	}
	v.URL = s.overTLS(r)
	if keeper := s.https.Keeper; keeper != nil {
		imported, err := keeper.Imported()
		v.Changes, v.Imported = true, err == nil && imported
	}
	return v
}

func (s *site) certificateView(path string, find func() (*x509.Certificate, error)) *certificateView {
	leaf, err := find()
	if err != nil {
		s.log.Warn("Certificate not shown", "file", path, "err", err)
		return nil
	}
	return &certificateView{Fingerprint: appliance.Fingerprint(leaf), Until: leaf.NotAfter, Path: path}
}

// pageCertificate gives away the certificate of the pages: it is no secret, each
// browser that connects gets it.
func (s *site) pageCertificate(w http.ResponseWriter, r *http.Request, _ caller) error {
	if s.https == nil {
		return notFound()
	}
	return giveCertificate(w, r, "dmpool.pem", s.https.Certificate)
}

func (s *site) stratumCertificate(w http.ResponseWriter, r *http.Request, _ caller) error {
	return giveCertificate(w, r, "dmpool-stratum.pem", s.box.StratumCertificate)
}

// giveCertificate sends a certificate, and never its key.
func giveCertificate(w http.ResponseWriter, _ *http.Request, name string, find func() (*x509.Certificate, error)) error {
	leaf, err := find()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	return nil
}
