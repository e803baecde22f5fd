package webui

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// problem is an error that its reader may see. Code chooses the sentences in
// templates/problem.html; Detail is a sentence from a lower floor (why an
// address is wrong, why a payout cannot be approved) or empty.
type problem struct {
	Status     int
	Code       string
	Detail     string
	RetryAfter time.Duration
	cause      error
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.Code + ": " + p.cause.Error()
	}
	return strings.TrimSuffix(p.Code+": "+p.Detail, ": ")
}

func (p *problem) Unwrap() error { return p.cause }

// notFound says that what the URL names does not exist.
func notFound() error { return &problem{Status: http.StatusNotFound, Code: "not-found"} }

// refused is a request that was understood and declined; detail says why.
func refused(detail string) error {
	return &problem{Status: http.StatusUnprocessableEntity, Code: "refused", Detail: detail}
}

// unwritten is a request that was not done, because the audit log would not have had
// it: the two are one transaction.
func unwritten(cause error) error {
	return &problem{
		Status: http.StatusInternalServerError, Code: "internal", cause: cause,
		Detail: "Nothing was done, because it could not be written to the audit log. Look whether the disk is full.",
	}
}

// needsFactor declines to send for an operator who has no second factor.
func needsFactor() error {
	return &problem{Status: http.StatusForbidden, Code: codeNeedsFactor, Detail: "Sending takes a second factor, and you have none yet."}
}

// codeNeedsFactor leads to where a second factor is set up.
const codeNeedsFactor = "needs-factor"

// invalid is a request that was not understood; detail says what is wrong.
func invalid(detail string) error {
	return &problem{Status: http.StatusBadRequest, Code: "invalid", Detail: detail}
}

// stale is a form whose subject changed after it was shown.
func stale(cause error) error {
	return &problem{Status: http.StatusConflict, Code: "stale", cause: cause}
}

// throttled asks the visitor to come back later.
func throttled(after time.Duration) error {
	return &problem{Status: http.StatusTooManyRequests, Code: "too-many", RetryAfter: after}
}

// absent means that a part of the appliance is not running yet.
func absent(detail string) error {
	return &problem{Status: http.StatusServiceUnavailable, Code: "unavailable", Detail: detail}
}

// problemView fills templates/problem.html.
type problemView struct {
	Status    int
	Code      string
	Detail    string
	Seconds   int
	Reference string
}

// Kind names the sentences of the page: the code, or that of the
// most general one of its kind.
func (v problemView) Kind() string {
	switch v.Code {
	case "not-found", "method", "misdirected", "too-many", "stale", "signed-out", "cross-site",
		"away", "form-token", "refused", codeNeedsFactor, "invalid", "unavailable", "stopping":
		return v.Code
	}
	if v.Status < http.StatusInternalServerError {
		return "refused"
	}
	return "internal"
}

// fail answers with err: a problem in its own words, anything else as a 500
// whose reference leads to the log line with the whole chain. The API gets
// application/problem+json (RFC 9457), people get a page.
//
// A request whose context has ended failed because of that: either the visitor
// has left and nobody reads the answer, or the server is stopping and says so.
func (s *site) fail(w http.ResponseWriter, r *http.Request, who caller, err error) {
	var p *problem
	if r.Context().Err() != nil {
		p, who = &problem{Status: http.StatusServiceUnavailable, Code: "stopping", Detail: "The pool is stopping."}, caller{}
	} else if !errors.As(err, &p) {
		p = &problem{Status: http.StatusInternalServerError, Code: "internal", cause: err}
	}
	v := problemView{Status: p.Status, Code: p.Code, Detail: p.Detail}
	if p.Status >= http.StatusInternalServerError && p.Code == "internal" {
		v.Reference = rand.Text()[:8]
		s.log.Error("Request failed", "reference", v.Reference, "method", r.Method, "path", loggedPath(r), "err", err)
	}
	if p.RetryAfter > 0 {
		v.Seconds = seconds(p.RetryAfter)
		w.Header().Set("Retry-After", strconv.Itoa(v.Seconds))
	}
	if isAPI(r) {
		if p.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		writeProblem(w, v)
		return
	}
	s.show(w, r, who, p.Status, "problem", v)
}

// writeProblem sends v as RFC 9457 problem details.
func writeProblem(w http.ResponseWriter, v problemView) {
	detail := v.Detail
	if v.Reference != "" {
		detail = cmp.Or(detail, "Something went wrong here.") + fmt.Sprintf(" The log of the pool has the reason under reference %s.", v.Reference)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(v.Status)
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail,omitempty"`
	}{"about:blank", http.StatusText(v.Status), v.Status, v.Code, detail})
}

// isAPI reports whether a program asks and not a person's browser.
func isAPI(r *http.Request) bool {
	p := r.URL.Path
	return strings.HasPrefix(p, "/api/") || p == metricsPath || strings.HasPrefix(p, "/pool/") || strings.HasPrefix(p, "/users/") || onAPIPort(r)
}

// seconds rounds a wait up to whole seconds, as Retry-After wants them.
func seconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
