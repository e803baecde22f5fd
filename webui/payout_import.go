package webui

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxImport is the largest form that carries a signed transaction.
const maxImport = 1 << 20

// signedFile is a transaction that was signed elsewhere.
type signedFile struct {
	ID, Rev  int64
	PSBT     string // base64
	Operator operator
	IP       string
}

// exported sends the transaction that was handed out, as the file that signing
// programs open (BIP 174).
func (s *site) exported(w http.ResponseWriter, r *http.Request, _ caller) error {
	v, err := s.findPayout(r.Context(), r)
	if err != nil {
		return err
	}
	if !v.Can.Import {
		return notFound()
	}
	text, err := s.box.Exported(r.Context(), v.ID, v.Rev)
	if err != nil {
		return err
	}
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("decode psbt of payout %d: %w", v.ID, err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="payout-%d.psbt"`, v.ID))
	_, err = w.Write(file)
	return gone(err)
}

// importPayout takes back what was handed out, signed: a file, or its text.
func (s *site) importPayout(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findPayout(r.Context(), r)
	if err != nil {
		return err
	}
	rev, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	if err != nil {
		return invalid("The form does not name a plan. Open the payout again.")
	}
	if rev != v.Rev || !v.Can.Import {
		return stale(nil)
	}
	text, err := psbtOf(r)
	if err != nil {
		return err
	}
	if text == "" {
		v.Wrong = "file"
		return s.again(w, r, who, "payout", v)
	}
	right, err := s.proves(r, who)
	if err != nil {
		return err
	}
	if !right {
		v.Wrong, v.Typed = "import", text
		return s.again(w, r, who, "payout", v)
	}
	err = s.box.ImportPayout(r.Context(), signedFile{ID: v.ID, Rev: rev, PSBT: text, Operator: who.Operator, IP: who.IP.String()})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/payouts/"+strconv.FormatInt(v.ID, 10), http.StatusSeeOther)
	return nil
}

// psbtOf reads the file of the form, or the text that was pasted, as base64. It
// is empty when there is neither, or what there is is no PSBT.
func psbtOf(r *http.Request) (string, error) {
	content := []byte(strings.TrimSpace(r.PostFormValue("psbt")))
	file, _, err := r.FormFile("file")
	if err == nil {
		defer file.Close()
		uploaded, err := io.ReadAll(file)
		if err != nil {
			return "", err
		}
		if len(uploaded) > 0 {
			content = uploaded
		}
	} else if !errors.Is(err, http.ErrMissingFile) && !errors.Is(err, http.ErrNotMultipart) {
		return "", invalid("The form was not understood.")
	}
	if isPSBT(content) {
		return base64.StdEncoding.EncodeToString(content), nil
	}
	text := strings.Join(strings.Fields(string(content)), "")
	if raw, err := base64.StdEncoding.DecodeString(text); err != nil || !isPSBT(raw) {
		return "", nil
	}
	return text, nil
}

// isPSBT looks at the first bytes (BIP 174).
func isPSBT(file []byte) bool { return strings.HasPrefix(string(file), "psbt\xff") }
