package place

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keeper is a real SSH server in this process, whose files are in a folder.
type keeper struct {
	t       *testing.T
	address string
	dir     string
	hostKey ssh.Signer
	tries   atomic.Int32 // to sign in

	typed     bool                                           // it asks for the password as a question
	key       string                                         // line of the key that may come in
	through   func(net.Conn) net.Conn                        // what lies between it and its clients
	subsystem func(ch io.ReadWriteCloser, ended func() bool) // in the place of SFTP

	ended chan struct{}
}

// The one user of the server.
const (
	keeperUser     = "box"
	keeperPassword = "Planted-Secret-1"
)

func newKeeper(t *testing.T, change ...func(*keeper)) *keeper {
	t.Helper()
	k := &keeper{t: t, dir: t.TempDir(), ended: make(chan struct{})}
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if k.hostKey, err = ssh.NewSignerFromKey(secret); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(k)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.address = listener.Addr().String()
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if k.through != nil {
				conn = k.through(conn)
			}
			work.Go(func() { k.serve(conn) })
			work.Go(func() { <-k.ended; conn.Close() })
		}
	})
	t.Cleanup(func() {
		close(k.ended)
		listener.Close()
		work.Wait()
	})
	return k
}

// server is how a client finds it, with the password.
func (k *keeper) server() Server {
	return Server{Address: k.address, User: keeperUser, Password: keeperPassword, HostKey: lineOf(k.hostKey.PublicKey())}
}

func (k *keeper) config() *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		AuthLogCallback: func(_ ssh.ConnMetadata, method string, _ error) {
			k.tries.Add(1)
		},
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if k.key != "" && k.key == lineOf(key)+" dmpool" && c.User() == keeperUser {
				return nil, nil
			}
			return nil, errors.New("not this key")
		},
	}
	right := func(user, password string) error {
		if user != keeperUser || password != keeperPassword {
			return errors.New("wrong")
		}
		return nil
	}
	if k.typed {
		c.KeyboardInteractiveCallback = func(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password:"}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, errors.New("no answer")
			}
			return nil, right(c.User(), answers[0])
		}
	} else {
		c.PasswordCallback = func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return nil, right(c.User(), string(password))
		}
	}
	c.AddHostKey(k.hostKey)
	return c
}

func (k *keeper) serve(conn net.Conn) {
	defer conn.Close()
	client, channels, requests, err := ssh.NewServerConn(conn, k.config())
	if err != nil {
		return
	}
	defer func() { _ = client.Close() }()
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { ssh.DiscardRequests(requests) })
	for offered := range channels {
		channel, asked, err := offered.Accept()
		if err != nil {
			return
		}
		work.Go(func() {
			for r := range asked {
				begins := r.Type == "subsystem" && string(r.Payload[4:]) == "sftp"
				_ = r.Reply(begins, nil)
				if begins {
					work.Go(func() { k.files(channel) })
				}
			}
		})
	}
}

func (k *keeper) files(channel io.ReadWriteCloser) {
	defer channel.Close()
	if k.subsystem != nil {
		k.subsystem(channel, func() bool { <-k.ended; return true })
		return
	}
	s, err := sftp.NewServer(channel, sftp.WithServerWorkingDirectory(k.dir))
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	_ = s.Serve()
}

// limited is a connection of which only so much arrives.
type limited struct {
	net.Conn
	left atomic.Int64
	then func() error // what becomes of it
}

func (c *limited) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.left.Add(int64(-n)) < 0 {
		return 0, c.then()
	}
	return n, err
}
