package alert

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"github.com/wneessen/go-mail"
)

// sendMail sends a message as plain text. The library writes the headers: it encodes
// what could begin another one.
func (b *Bell) sendMail(ctx context.Context, t Target, s Secret, m Message) error {
	letter := mail.NewMsg()
	err := errors.Join(letter.From(t.From), letter.To(strings.Split(t.To, ",")...))
	if err != nil {
		return refuse("the sender or the receivers are no e-mail addresses")
	}
	letter.Subject(titleOf(m))
	letter.SetDateWithValue(m.At)
	letter.SetMessageID()
	letter.SetUserAgent("DMPool")
	letter.SetGenHeader(mail.Header("Auto-Submitted"), "auto-generated") // RFC 3834: no answer, please
	letter.SetBodyString(mail.TypeTextPlain, m.Text+"\n")

	security := &tls.Config{ServerName: t.Server, MinVersion: tls.VersionTLS12, RootCAs: b.config.roots}
	// The library looks at ctx while it connects only, and leaves a connection open on
	// which nobody could sign in.
	sending, hangUp := context.WithCancel(ctx)
	defer hangUp()
	options := []mail.Option{
		mail.WithPort(t.Port), mail.WithTimeout(sendPatience), mail.WithTLSConfig(security), mail.WithHELO("localhost"),
		mail.WithDialContextFunc(func(dial context.Context, network, address string) (net.Conn, error) {
			conn, err := dialMail(dial, network, address, t.Security, security)
			if err == nil {
				context.AfterFunc(sending, func() { _ = conn.Close() })
			}
			return conn, err
		}),
	}
	switch t.Security {
	case SecurityTLS:
		options = append(options, mail.WithSSL())
	case SecurityStartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if t.User != "" {
		options = append(options, mail.WithSMTPAuthCustom(&proof{user: t.User, password: s.Token}))
	}
	client, err := mail.NewClient(t.Server, options...)
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, letter)
}

// dialMail connects, with encryption from the first byte when that is wanted.
func dialMail(ctx context.Context, network, address, security string, config *tls.Config) (net.Conn, error) {
	raw, err := (&net.Dialer{Timeout: dialPatience}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := &terse{Conn: raw, left: repliesLimit}
	if security != SecurityTLS {
		return conn, nil
	}
	safe := tls.Client(conn, config)
	if err := safe.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return safe, nil
}

// repliesLimit is how much a mail server may say in one conversation, in bytes. The
// library takes replies of any length.
const repliesLimit = 256 << 10

// terse is a connection whose other end has said enough at some time.
type terse struct {
	net.Conn
	left int
}

func (t *terse) Read(p []byte) (int, error) {
	if t.left == 0 {
		return 0, refuse("the mail server says more than a mail server has to say")
	}
	n, err := t.Conn.Read(p[:min(len(p), t.left)])
	t.left -= n
	return n, err
}
