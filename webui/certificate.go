package webui

import (
	"errors"
	"io"
	"net/http"

	"github.com/dmpool/dmpool/appliance"
)

// The certificate by which browsers know the pages can be the operator's. Its key
// comes in with a form, is kept in a file that only the box reads, and goes into no
// page, log or address again.

// certificatePageView fills templates/certificate.html.
type certificatePageView struct {
	HTTPS    *certificateView // nil: the pages are served without encryption only
	Done     string           // "import" or "own"
	Wrong    string           // form whose password was
	Problems []string         // of the files, sentences
}

func (s *site) certificatePage(r *http.Request, _ caller) (any, error) {
	v := s.certificateSheet(r)
	v.Done = r.URL.Query().Get("done")
	return v, nil
}

func (s *site) certificateSheet(r *http.Request) *certificatePageView {
	return &certificatePageView{HTTPS: s.pagesOverTLS(r)}
}

// The forms of that page.
const (
	certificateImport = "import"
	certificateOwn    = "own"
)

// changeCertificate is for somebody who has proved to be the operator.
func (s *site) changeCertificate(form string) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		if s.https == nil || s.https.Keeper == nil {
			return notFound()
		}
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		v := s.certificateSheet(r)
		if !right {
			v.Wrong = form
			return s.again(w, r, who, "certificate", v)
		}
		if form == certificateOwn {
			err = s.https.Keeper.Renew()
		} else {
			err = s.takeCertificate(r)
		}
		if refusal, refused := errors.AsType[*appliance.PersonError](err); refused {
			v.Problems = sentences(refusal.Err)
			return s.again(w, r, who, "certificate", v)
		}
		if err != nil {
			return err
		}
		leaf, err := s.https.Certificate()
		if err == nil {
			err = s.box.Note(r.Context(), who.Operator, "certificate."+form, appliance.Fingerprint(leaf), who.IP.String())
		}
		if err != nil {
			return err
		}
		http.Redirect(w, r, "/certificate?done="+form, http.StatusSeeOther)
		return nil
	}
}

// takeCertificate imports the two files of a form.
func (s *site) takeCertificate(r *http.Request) error {
	certificate, err := formFile(r, "certificate")
	if err != nil {
		return err
	}
	key, err := formFile(r, "key")
	if err != nil {
		return err
	}
	return s.https.Keeper.Import(certificate, key)
}

// formFile reads a small file of a form, which [bounded] has bounded; none is empty.
func formFile(r *http.Request, name string) ([]byte, error) {
	file, _, err := r.FormFile(name)
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	}
	if err != nil {
		return nil, invalid("The file could not be read.")
	}
	defer file.Close()
	return io.ReadAll(file)
}
