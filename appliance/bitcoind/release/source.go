package release

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Source is a server that has releases. The zero value is bitcoincore.org. It
// is trusted with nothing but its time: see the package comment.
type Source struct {
	Site  string   // where versions have their folders; [Site]
	Hosts []string // other hosts that it may send us to

	// Plain allows http, for tests: only to this machine itself.
	Plain bool
	// TLS is for tests whose server has a certificate of its own.
	TLS *tls.Config

	Limit    int64         // bytes of a file; 200 MB, about four times a release
	Patience time.Duration // without a byte arriving; 1 min
	Tries    int           // that bring nothing, one after the other; 5
	Pause    time.Duration // before the second try, doubled each time; 2 s
}

// The errors of a download that only another release or another server mends.
var (
	ErrTooLarge = errors.New("the file is larger than any release of Bitcoin Core")
	ErrNoSpace  = errors.New("there is not enough room on the disk")
	ErrStrayed  = errors.New("the server sent us to an address that is not allowed")
	ErrMissing  = errors.New("the server does not have this release")
)

// errRange is the answer to asking for more of a file than there is.
var errRange = errors.New("the server's file is shorter than what has arrived of it")

// room is what a download leaves to the databases on the same disk: as much as
// they keep aside for an emergency.
const room = 256 << 20

func (s Source) withDefaults() Source {
	if s.Site == "" {
		s.Site = Site
	}
	if s.Limit <= 0 {
		s.Limit = 200_000_000
	}
	if s.Patience <= 0 {
		s.Patience = time.Minute
	}
	if s.Tries <= 0 {
		s.Tries = 5
	}
	if s.Pause <= 0 {
		s.Pause = 2 * time.Second
	}
	return s
}

// client makes the client for one file. It takes bytes as they are, and goes
// only where it is allowed to.
func (s Source) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       s.TLS,
			TLSHandshakeTimeout:   s.Patience,
			ResponseHeaderTimeout: s.Patience,
			DialContext:           (&net.Dialer{Timeout: s.Patience}).DialContext,
			DisableCompression:    true,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return fmt.Errorf("%w: it sent us around in a circle", ErrStrayed)
			}
			return s.allowed(r.URL, via[0].URL.Host)
		},
	}
}

// allowed tells whether a request may go to u when it began at the host home.
func (s Source) allowed(u *url.URL, home string) error {
	if u.Scheme != "https" && (!s.Plain || u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("%w: %s is not encrypted", ErrStrayed, u.Redacted())
	}
	if u.Host != home && !slices.Contains(s.Hosts, u.Host) {
		return fmt.Errorf("%w: %s belongs to somebody else", ErrStrayed, u.Host)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// resumption is the part of a file that is here already, and by what the server
// recognises that it still has the same file.
type resumption struct {
	have int64
	mark string // a strong ETag or a date; empty: start over
}

// answer is the server's reply to a request for the rest of a file.
type answer struct {
	from  int64  // position of the first byte of body
	total int64  // bytes of the whole file; -1 is not known
	mark  string // to resume by
	body  io.ReadCloser
}

// request asks for the rest of a file. An error that is not one of this package
// may pass by itself.
func (s Source) request(ctx context.Context, client *http.Client, path string, part resumption) (answer, error) {
	u, err := url.Parse(strings.TrimSuffix(s.Site, "/") + "/" + path)
	if err != nil {
		return answer{}, fmt.Errorf("address of the download: %w", err)
	}
	if err := s.allowed(u, u.Host); err != nil {
		return answer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return answer{}, fmt.Errorf("ask for %s: %w", path, err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	if part.have > 0 && part.mark != "" {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(part.have, 10)+"-")
		r.Header.Set("If-Range", part.mark)
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	a, err := read(response)
	if err == nil && a.total > s.Limit {
		err = fmt.Errorf("%w: %d bytes", ErrTooLarge, a.total)
	}
	if err == nil && a.from != 0 && a.from != part.have {
		err = fmt.Errorf("%s answers with another piece than the one that was asked for", u.Host)
	}
	if err != nil {
		response.Body.Close()
	}
	return a, err
}

// read makes sense of a response. Which file a server without ETag and date
// has cannot be told, so there is no resuming there.
func read(response *http.Response) (answer, error) {
	a := answer{total: response.ContentLength, body: response.Body, mark: response.Header.Get("Last-Modified")}
	if tag := response.Header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		a.mark = tag
	}
	switch response.StatusCode {
	case http.StatusOK:
		return a, nil
	case http.StatusPartialContent:
		var last int64
		_, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-%d/%d", &a.from, &last, &a.total)
		if err != nil || a.from < 0 || last != a.total-1 || a.from > last {
			return a, fmt.Errorf("%s sent a piece without saying which", response.Request.URL.Host)
		}
		return a, nil
	case http.StatusRequestedRangeNotSatisfiable:
		return a, errRange
	case http.StatusNotFound, http.StatusGone:
		return a, fmt.Errorf("%w: %s", ErrMissing, response.Request.URL.Redacted())
	}
	return a, fmt.Errorf("%s answers %s", response.Request.URL.Host, response.Status)
}
