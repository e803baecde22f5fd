package alert

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
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

// talker is a mail server on loopback that says what it likes, in one connection.
func talker(t *testing.T, talk func(conn net.Conn, lines *bufio.Scanner)) (port int) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		talk(conn, bufio.NewScanner(conn))
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().(*net.TCPAddr).Port
}

// A mail server can neither keep a processor busy nor fill the memory.
func TestMailHostile(t *testing.T) {
	speak := func(conn net.Conn, format string, args ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", args...) }
	tests := []struct {
		name string
		talk func(conn net.Conn, lines *bufio.Scanner)
		want string
	}{
		{"it wants a password hashed for years", func(conn net.Conn, lines *bufio.Scanner) {
			speak(conn, "220 mail")
			for lines.Scan() {
				word, rest, _ := strings.Cut(lines.Text(), " ")
				switch word {
				case "EHLO":
					speak(conn, "250-mail\r\n250 AUTH SCRAM-SHA-256 PLAIN")
				case "AUTH":
					_, first, _ := strings.Cut(rest, " ")
					bare, _ := base64.StdEncoding.DecodeString(first)
					_, nonce, _ := strings.Cut(string(bare), "r=")
					speak(conn, "334 %s", base64.StdEncoding.EncodeToString([]byte("r="+nonce+"more,s=c2FsdA==,i=9223372036854775807")))
				default:
					speak(conn, "500 no")
				}
			}
		}, "The mail server wants more work for the password than makes sense."},
		{"it has but a way without encryption", func(conn net.Conn, lines *bufio.Scanner) {
			speak(conn, "220 mail")
			for lines.Scan() {
				switch word, _, _ := strings.Cut(lines.Text(), " "); word {
				case "EHLO":
					speak(conn, "250-mail\r\n250 AUTH PLAIN LOGIN")
				case "AUTH":
					t.Errorf("it was told %q", lines.Text())
				default:
					speak(conn, "500 no")
				}
			}
		}, "The mail server wants the password without encryption; choose an encrypted connection."},
		{"it never ends", func(conn net.Conn, _ *bufio.Scanner) {
			line := []byte(strings.Repeat("220-"+strings.Repeat("a", 1020)+"\r\n", 64))
			said := 0
			for said < 1<<30 {
				n, err := conn.Write(line)
				if said += n; err != nil {
					return
				}
			}
			t.Errorf("%d bytes were taken", said)
		}, "The mail server says more than a mail server has to say."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			id := b.channel(Channel{Kind: SMTP, Target: Target{
				Server: "127.0.0.1", Port: talker(t, test.talk), Security: SecurityNone, User: "user", From: "p@example.org", To: "a@example.org",
			}}, Secret{Token: "pass word"})
			if problem, err := b.bell.Test(t.Context(), id); err != nil || problem != test.want {
				t.Errorf("problem %q, %v", problem, err)
			}
		})
	}
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
