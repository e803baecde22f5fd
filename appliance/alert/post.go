package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	dialPatience = 10 * time.Second
	// answerLimit is how much of an answer is read, in bytes.
	answerLimit = 8 << 10
	// excerpt is how much of it is told, in characters.
	excerpt = 160
)

// newClient makes the client of all channels. It goes where the operators have said and
// nowhere else: no redirect is followed, and no proxy of the environment is used.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialPatience}).DialContext,
			TLSHandshakeTimeout:    dialPatience,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: 32 << 10,
			DisableKeepAlives:      true,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answerError is an answer that is no receipt.
type answerError struct {
	status int
	text   string        // what it says, in part
	after  time.Duration // when to come again, if it says so
	open   bool          // it may be about the settings of the channel rather than about the message
}

func (e *answerError) Error() string {
	if e.status >= 300 && e.status < 400 {
		return fmt.Sprintf("the receiver answered %d, which leads elsewhere; type in the URL that it leads to", e.status)
	}
	if e.text == "" {
		return fmt.Sprintf("the receiver answered %d %s", e.status, http.StatusText(e.status))
	}
	return fmt.Sprintf("the receiver answered %d: %s", e.status, e.text)
}

// post sends v as JSON, and returns an [*answerError] for every answer but 2xx.
func (b *Bell) post(ctx context.Context, target string, v any, header func(body []byte, h http.Header)) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL is none")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "DMPool")
	if header != nil {
		header(body, req.Header)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil // whatever else it says
	}
	if err != nil {
		return err
	}
	return &answerError{status: resp.StatusCode, text: plain(strings.Join(strings.Fields(string(text)), " "), excerpt), after: retryAfter(resp, text)}
}

// retryAfter reads when a receiver wants to be asked again: from the header, or from
// where Telegram says it.
func retryAfter(resp *http.Response, body []byte) time.Duration {
	var said struct {
		Parameters struct {
			RetryAfter int `json:"retry_after"`
		}
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil && json.Unmarshal(body, &said) == nil {
		seconds = said.Parameters.RetryAfter
	}
	return time.Duration(min(max(seconds, 0), int(lastRetry/time.Second))) * time.Second
}

// told is an error whose text has no secret in it.
type toldError struct {
	text string
	err  error
}

func (e *toldError) Error() string { return e.text }
func (e *toldError) Unwrap() error { return e.err }

// explain says why a message has not arrived, a sentence without any secret. What came
// from below is kept as its cause only when it is an answer.
func explain(err error, s Secret) error {
	if err == nil {
		return nil
	}
	var asked *url.Error
	if errors.As(err, &asked) { // its text has the whole URL
		err = asked.Err
	}
	text := err.Error()
	answer, answered := errors.AsType[*answerError](err)
	own, isOwn := errors.AsType[*Error](err)
	var timeout interface{ Timeout() bool }
	switch {
	case answered:
	case isOwn: // without what a library has put around it
		text = own.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		text = "the receiver has not answered in time"
	default:
		text = "the receiver cannot be reached: " + text
	}
	text = sentence(redact(plain(text, 400), s))
	if answered {
		return &toldError{text, &answerError{status: answer.status, after: answer.after, open: answer.open}}
	}
	return &toldError{text: text}
}

// redact takes secrets out of a text, also as they stand in a URL.
func redact(text string, s Secret) string {
	for _, secret := range []string{s.URL, s.Token} {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "…")
			}
		}
	}
	return text
}

// sentence makes a sentence of an error.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if strings.ContainsAny(text[len(text)-1:], ".!?") {
		return text
	}
	return text + "."
}
