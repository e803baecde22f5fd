package alert

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/wneessen/go-mail/smtp"
)

// iterations is how often a server may have a password hashed (RFC 7677): each costs
// time, and a server says how many it wants.
const iterations = 1_000_000

// proof shows a password to a mail server, in the best of the ways that both know. It
// stands in for the library's own choice, which has no bound on iterations. Without
// encryption the password itself is never sent.
type proof struct {
	user, password string
	way            smtp.Auth // once the server has said what it knows
}

func (p *proof) Start(server *smtp.ServerInfo) (mechanism string, first []byte, err error) {
	switch {
	case slices.Contains(server.Auth, "SCRAM-SHA-256"):
		p.way = smtp.ScramSHA256Auth(p.user, p.password)
	case slices.Contains(server.Auth, "SCRAM-SHA-1"):
		p.way = smtp.ScramSHA1Auth(p.user, p.password)
	case slices.Contains(server.Auth, "CRAM-MD5"):
		p.way = smtp.CRAMMD5Auth(p.user, p.password)
	case server.TLS && slices.Contains(server.Auth, "PLAIN"):
		p.way = smtp.PlainAuth("", p.user, p.password, server.Name, false)
	case server.TLS && slices.Contains(server.Auth, "LOGIN"):
		p.way = smtp.LoginAuth(p.user, p.password, server.Name, false)
	case server.TLS:
		return "", nil, refuse("the mail server offers no way to sign in that DMPool knows")
	default:
		return "", nil, refuse("the mail server wants the password without encryption; choose an encrypted connection")
	}
	return p.way.Start(server)
}

func (p *proof) Next(fromServer []byte, more bool) ([]byte, error) {
	for field := range bytes.SplitSeq(fromServer, []byte(",")) {
		count, ok := bytes.CutPrefix(field, []byte("i="))
		if !ok || !more {
			continue
		}
		if n, err := strconv.ParseUint(string(count), 10, 64); err != nil || n > iterations {
			return nil, refuse("the mail server wants more work for the password than makes sense")
		}
	}
	return p.way.Next(fromServer, more)
}
