package alert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// postOffice is a real mail server on loopback.
type postOffice struct {
	port    int
	roots   *x509.CertPool
	letters chan letter
}

type letter struct {
	from string
	to   []string
	mail *mail.Message
	body string
}

// openPostOffice serves with the security of a channel. Whoever has a password has to
// be user and pass.
func openPostOffice(t *testing.T, security string) *postOffice {
	t.Helper()
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	office := &postOffice{roots: x509.NewCertPool(), letters: make(chan letter, 10)}
	office.roots.AddCert(certified.Certificate())

	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &counter{office: office}, nil }))
	server.Domain, server.AllowInsecureAuth = "localhost", false
	keys := &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	office.port = ln.Addr().(*net.TCPAddr).Port
	switch security {
	case SecurityTLS:
		ln = tls.NewListener(ln, keys)
	case SecurityStartTLS:
		server.TLSConfig = keys
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return office
}

// counter is where one connection is served.
type counter struct {
	office *postOffice
	letter letter
	known  bool
}

func (c *counter) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "user" || password != "pass word" {
			return errors.New("this is not the password: " + password)
		}
		c.known = true
		return nil
	}), nil
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	c.letter = letter{from: from}
	return nil
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.letter.to = append(c.letter.to, to)
	return nil
}

func (c *counter) Data(r io.Reader) (err error) {
	if c.letter.mail, err = mail.ReadMessage(r); err != nil {
		return err
	}
	body, err := io.ReadAll(c.letter.mail.Body)
	c.letter.body = string(body)
	c.office.letters <- c.letter
	return err
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }

func TestMail(t *testing.T) {
	for _, test := range []struct{ security, user string }{{SecurityNone, ""}, {SecurityStartTLS, "user"}, {SecurityTLS, "user"}, {SecurityStartTLS, ""}} {
		t.Run(test.security+" "+test.user, func(t *testing.T) {
			b, office := newBench(t), openPostOffice(t, test.security)
			b.bell.config.roots = office.roots
			target := Target{Server: "127.0.0.1", Port: office.port, Security: test.security, User: test.user, From: "DMPool <pool@example.org>", To: "a@example.org, Bé <b@example.org>"}
			b.channel(Channel{Kind: SMTP, Target: target}, Secret{Token: map[string]string{"user": "pass word"}[test.user]})
			b.bell.config.Box = func() string { return "Höme\r\nBcc: all@example.org" }
			b.run()
			b.look(frozen)
			select {
			case got := <-office.letters:
				subject, err := new(mime.WordDecoder).DecodeHeader(got.mail.Header.Get("Subject"))
				if err != nil || !strings.HasSuffix(subject, "] Payouts are frozen") || !strings.HasPrefix(subject, "[Höme") || strings.ContainsAny(subject, "\r\n") {
					t.Errorf("subject %q, %v", subject, err)
				}
				if got.mail.Header.Get("Bcc") != "" || len(got.to) != 2 || got.from != "pool@example.org" || !strings.Contains(got.body, "The sums differ.") {
					t.Errorf("letter %+v", got)
				}
			case <-time.After(patience):
				t.Fatalf("no letter came: %+v", b.deliveries())
			}
			b.awaitState(stateSent, 1)
		})
	}
}

func TestMailFaults(t *testing.T) {
	t.Run("wrong password", func(t *testing.T) {
		b, office := newBench(t), openPostOffice(t, SecurityTLS)
		b.bell.config.roots = office.roots
		id := b.channel(Channel{Kind: SMTP, Target: Target{
			Server: "127.0.0.1", Port: office.port, Security: SecurityTLS, User: "user", From: "p@example.org", To: "a@example.org",
		}}, Secret{Token: "s3cretword"})
		problem, err := b.bell.Test(t.Context(), id)
		if err != nil || problem == "" || strings.Contains(problem, "s3cretword") {
			t.Errorf("problem %q, %v", problem, err)
		}
	})
	t.Run("a certificate of nobody", func(t *testing.T) {
		b, office := newBench(t), openPostOffice(t, SecurityStartTLS)
		id := b.channel(Channel{Kind: SMTP, Target: Target{
			Server: "127.0.0.1", Port: office.port, Security: SecurityStartTLS, From: "p@example.org", To: "a@example.org",
		}}, Secret{})
		if problem, err := b.bell.Test(t.Context(), id); err != nil || !strings.Contains(problem, "certificate") {
			t.Errorf("problem %q, %v", problem, err)
		}
	})
	t.Run("a server that will not encrypt", func(t *testing.T) {
		b, office := newBench(t), openPostOffice(t, SecurityNone)
		id := b.channel(Channel{Kind: SMTP, Target: Target{
			Server: "127.0.0.1", Port: office.port, Security: SecurityStartTLS, From: "p@example.org", To: "a@example.org",
		}}, Secret{})
		problem, err := b.bell.Test(t.Context(), id)
		if err != nil || problem == "" {
			t.Errorf("problem %q, %v", problem, err)
		}
		if len(office.letters) > 0 {
			t.Error("the letter was sent without encryption")
		}
	})
}

// A mail server that takes the connection and says nothing is let go when the box stops.
func TestMailHangs(t *testing.T) {
	b := newBench(t)
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan net.Conn, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			connected <- conn
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	b.channel(Channel{Kind: SMTP, Target: Target{
		Server: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Security: SecurityNone, From: "p@example.org", To: "a@example.org",
	}}, Secret{})
	b.run()
	b.look(frozen)
	select {
	case conn := <-connected:
		defer conn.Close()
	case <-time.After(patience):
		t.Fatal("nobody came")
	}
	stopped := make(chan struct{}) // long before the message is given up
	go func() {
		b.stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(sendPatience / 2):
		t.Fatal("the bell does not stop")
	}
}
