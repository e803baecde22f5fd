package place

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// Server is a machine that takes files over SFTP, and how to sign in there.
type Server struct {
	Address  string // host, or host:port
	User     string
	Folder   string // one that does not begin with a slash is below the user's own
	HostKey  string // as [HostKey] returned it; nothing is sent to a server that has another
	Password string // empty: Key is used
	Key      []byte // as [NewKey] made it
}

// Check returns what is wrong with the parts that people type.
func (s Server) Check() error {
	var errs []error
	if _, err := complete(s.Address); err != nil {
		errs = append(errs, err)
	}
	if s.User == "" || len(s.User) > 64 || !printable(s.User) {
		errs = append(errs, refused(nil, "the server needs the name of a user there"))
	}
	if len(s.Folder) > 512 || !printable(s.Folder) {
		errs = append(errs, refused(nil, "the folder on the server has characters in it that no folder has"))
	}
	return errors.Join(errs...)
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// folder is the path for the server.
func (s Server) folder() string {
	if s.Folder == "" {
		return "."
	}
	return path.Clean(s.Folder)
}

// complete adds the usual port to an address that has none.
func complete(address string) (string, error) {
	wrong := refused(nil, "the address of the server is a name or an IP address, with a port behind a colon if it is not 22")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), "22"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || len(host) > 253 || strings.ContainsAny(host, "/@ \t") || !printable(host) {
		return "", wrong
	}
	if strings.Contains(host, ":") && net.ParseIP(host) == nil { // neither one port nor IPv6
		return "", wrong
	}
	return net.JoinHostPort(host, port), nil
}

// HostKey asks a server for its host key and hangs up before anybody signs in.
func HostKey(ctx context.Context, address string) (string, error) {
	var seen ssh.PublicKey
	_, err := dial(ctx, address, patience, &ssh.ClientConfig{
		HostKeyAlgorithms: hostKeyKinds(),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			seen = key
			return errors.New("only asked")
		},
	})
	if seen == nil {
		return "", err
	}
	return lineOf(seen), nil
}

// config is how to sign in at the server that has the confirmed key.
func (s Server) config() (*ssh.ClientConfig, error) {
	if s.HostKey == "" {
		return nil, refused(ErrHostKey, "the host key of the server is not confirmed yet")
	}
	known, err := parseHostKey(s.HostKey)
	if err != nil {
		return nil, err
	}
	c := &ssh.ClientConfig{User: s.User, HostKeyAlgorithms: kindsFor(known)}
	c.HostKeyCallback = func(host string, remote net.Addr, key ssh.PublicKey) error {
		if err := ssh.FixedHostKey(known)(host, remote, key); err != nil {
			return fmt.Errorf("%w: %s", ErrHostKey, ssh.FingerprintSHA256(key))
		}
		return nil
	}
	if s.Password != "" {
		c.Auth = []ssh.AuthMethod{ssh.Password(s.Password), ssh.KeyboardInteractive(s.typed)}
		return c, nil
	}
	if len(s.Key) == 0 {
		return nil, away(nil, "what the box signs in with at the server cannot be read any more; set the server up anew on the backup page")
	}
	signer, err := ssh.ParsePrivateKey(s.Key)
	if err != nil {
		return nil, fmt.Errorf("read SSH key: %w", err)
	}
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(signer)}
	return c, nil
}

// typed answers a server that asks for the password as if a person sat there. It is
// the only question that is answered.
func (s Server) typed(_, _ string, questions []string, echos []bool) ([]string, error) {
	switch {
	case len(questions) == 0:
		return nil, nil
	case len(questions) == 1 && !echos[0]:
		return []string{s.Password}, nil
	}
	return nil, errors.New("the server asks for more than a password")
}

// dial connects and signs in, within the time that is given. The error says how far
// that came.
func dial(ctx context.Context, address string, most time.Duration, c *ssh.ClientConfig) (*ssh.Client, error) {
	address, err := complete(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, unreached(ctx, err)
	}
	hangUp := context.AfterFunc(ctx, func() { conn.Close() })
	defer hangUp()
	known := false // that it is the right server, so that what follows is the sign-in
	check := c.HostKeyCallback
	c.HostKeyCallback = func(host string, remote net.Addr, key ssh.PublicKey) error {
		err := check(host, remote, key)
		known = err == nil
		return err
	}
	client, channels, requests, err := ssh.NewClientConn(conn, address, c)
	switch _, negotiated := errors.AsType[*ssh.AlgorithmNegotiationError](err); {
	case err == nil:
		return ssh.NewClient(client, channels, requests), nil
	case ctx.Err() != nil:
		return nil, unreached(ctx, err)
	case errors.Is(err, ErrHostKey):
		return nil, away(err, "the server has another host key than the one that was confirmed. Either it was set up anew, or it is another machine: nothing was sent to it")
	case known:
		return nil, away(err, "the server does not let this user in; look at the name, and at the password or the line in authorized_keys")
	case negotiated:
		return nil, away(err, "the server offers no host key or encryption that is safe; it is too old, or was not set up with care")
	}
	return nil, away(err, "what answers there is no SSH server, or it hung up")
}

// unreached is the error of a connection that did not come about in its time.
func unreached(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	_, unknown := errors.AsType[*net.DNSError](err)
	switch {
	case ctx.Err() != nil:
		return away(err, "the server does not answer; look whether it is on, and whether address and port are right")
	case unknown:
		return away(err, "there is no server of that name; use its IP address if it has no name here")
	}
	return away(err, "the server does not take connections there; look whether it is on, and whether address and port are right")
}
