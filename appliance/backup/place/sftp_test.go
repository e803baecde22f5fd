package place

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/dmpool/dmpool/appliance/faultdisk"
)

// refusedWith fails the test unless an error is a sentence with a word in it.
func refusedWith(t *testing.T, what string, err error, word string) {
	t.Helper()
	sentence, spoken := errors.AsType[*Error](err)
	if !spoken || !strings.Contains(sentence.Sentence, word) {
		t.Errorf("%s = %v, want a sentence with %q", what, err, word)
	}
	if err != nil && strings.Contains(err.Error(), "Planted") {
		t.Errorf("%s tells the secret: %v", what, err)
	}
}

// The key of a server is asked for without anybody signing in, and from then on no
// other one is spoken to.
func TestHostKey(t *testing.T) {
	k := newKeeper(t)
	got, err := HostKey(t.Context(), k.address)
	if err != nil || got != k.server().HostKey {
		t.Fatalf("HostKey = %q, %v, want %q", got, err, k.server().HostKey)
	}
	print, err := Fingerprint(got)
	if want := ssh.FingerprintSHA256(k.hostKey.PublicKey()); err != nil || print != want {
		t.Errorf("Fingerprint = %q, %v, want %q", print, err, want)
	}
	if kind, err := KeyKind(got); err != nil || kind != "ED25519" {
		t.Errorf("KeyKind = %q, %v", kind, err)
	}

	other := newKeeper(t)
	wrong := k.server()
	wrong.Address = other.address
	err = NewSFTP(wrong).Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x"))
	refusedWith(t, "Put to a server with another key", err, "another host key")
	if !errors.Is(err, ErrHostKey) {
		t.Errorf("Put = %v, want %v", err, ErrHostKey)
	}
	unconfirmed := k.server()
	unconfirmed.HostKey = ""
	_, err = NewSFTP(unconfirmed).List(t.Context())
	refusedWith(t, "List without a confirmed key", err, "not confirmed")
	if k.tries.Load()+other.tries.Load() > 0 {
		t.Error("somebody has tried to sign in")
	}
}

// A server that has keys of several kinds is asked for the one that is known.
func TestHostKeyOfAnotherKind(t *testing.T) {
	k := newKeeper(t)
	_, second, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(second)
	if err != nil {
		t.Fatal(err)
	}
	known, err := parseHostKey(lineOf(signer.PublicKey()))
	if err != nil || len(kindsFor(known)) != 1 || kindsFor(known)[0] != ssh.KeyAlgoED25519 {
		t.Errorf("kindsFor an Ed25519 key = %v, %v", kindsFor(known), err)
	}
	s := k.server()
	s.HostKey = lineOf(signer.PublicKey())
	if err := Try(t.Context(), NewSFTP(s)); !errors.Is(err, ErrHostKey) {
		t.Errorf("Try = %v, want %v", err, ErrHostKey)
	}
}

func TestSignIn(t *testing.T) {
	k := newKeeper(t)
	strange, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Server){
		"wrong password": func(s *Server) { s.Password = "Planted-Secret-2" },
		"wrong user":     func(s *Server) { s.User = "root" },
		"strange key":    func(s *Server) { s.Password, s.Key = "", strange },
	} {
		s := k.server()
		change(&s)
		_, err := NewSFTP(s).List(t.Context())
		refusedWith(t, name, err, "does not let this user in")
	}
	s := k.server()
	s.Password, s.Key = "", []byte("no key")
	if _, err := NewSFTP(s).List(t.Context()); err == nil || k.tries.Load() == 0 {
		t.Errorf("List with a damaged key = %v", err)
	}
}

// A connection that is cut in the middle leaves nothing that counts, and the next
// file arrives.
func TestCutInTheMiddle(t *testing.T) {
	var cut atomic.Bool
	cut.Store(true)
	k := newKeeper(t, func(k *keeper) {
		k.through = func(c net.Conn) net.Conn {
			if !cut.Load() {
				return c
			}
			l := &limited{Conn: c, then: func() error { return errors.Join(io.ErrUnexpectedEOF, c.Close()) }}
			l.left.Store(1 << 20)
			return l
		}
	})
	p := NewSFTP(k.server())
	content := make([]byte, 4<<20)
	refusedWith(t, "Put", p.Put(t.Context(), "dmpool-main-20261123-000001.age", bytes.NewReader(content)), "was cut")
	cut.Store(false)
	if got := names(t, p); len(got) > 0 {
		t.Errorf("List = %q after a file that did not arrive", got)
	}
	if err := p.Put(t.Context(), "dmpool-main-20261123-000001.age", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, p, "dmpool-main-20261123-000001.age"); !bytes.Equal(got, content) {
		t.Errorf("read %d bytes that are not the %d written ones", len(got), len(content))
	}
}

// A server that hangs, wherever it does, is given up.
func TestHang(t *testing.T) {
	const soon = 300 * time.Millisecond
	silent := func(ch io.ReadWriteCloser, ended func() bool) { ended() }
	after := func(bytes int64) func(*keeper) {
		return func(k *keeper) {
			k.through = func(c net.Conn) net.Conn {
				l := &limited{Conn: c, then: func() error { <-k.ended; return io.EOF }}
				l.left.Store(bytes)
				return l
			}
		}
	}
	tests := map[string]struct {
		change func(*keeper)
		word   string
	}{
		"before it says hello": {after(0), "does not answer"},
		"while signing in":     {after(2200), "does not answer"},
		"before the first file": {func(k *keeper) {
			k.subsystem = silent
		}, "stopped answering"},
		"in the middle": {after(1 << 20), "stopped answering"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, test.change)
			p := &SFTP{k.server(), soon, soon}
			refusedWith(t, "Put", p.Put(t.Context(), "dmpool-main-20261123-000001.age", bytes.NewReader(make([]byte, 4<<20))), test.word)
		})
	}
	t.Run("when asked for its key", func(t *testing.T) {
		k := newKeeper(t, after(0))
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		_, err := HostKey(ctx, k.address)
		refusedWith(t, "HostKey", err, "does not answer")
	})
}

// slowToSettle is a file that the server takes long to bring to its disk.
type slowToSettle struct {
	sftp.FileWriter
	takes time.Duration
}

func (s slowToSettle) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	w, err := s.FileWriter.Filewrite(r)
	return settled{w, s.takes}, err
}

type settled struct {
	io.WriterAt
	takes time.Duration
}

func (s settled) Close() error {
	time.Sleep(s.takes)
	return nil
}

// A server that brings a large file to its disk says nothing meanwhile, and is waited for.
func TestSlowToSettle(t *testing.T) {
	const soon = 300 * time.Millisecond
	k := newKeeper(t, func(k *keeper) {
		k.subsystem = func(ch io.ReadWriteCloser, _ func() bool) {
			h := sftp.InMemHandler()
			h.FilePut = slowToSettle{h.FilePut, 2 * soon}
			s := sftp.NewRequestServer(ch, h)
			defer s.Close()
			_ = s.Serve()
		}
	})
	p := &SFTP{k.server(), soon, time.Minute}
	if err := p.Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	refusedWith(t, "Put", (&SFTP{k.server(), soon, soon}).Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x")), "stopped answering")
}

func TestNoServer(t *testing.T) {
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	_, err = HostKey(t.Context(), closed.Addr().String())
	refusedWith(t, "HostKey of a closed port", err, "does not take connections")

	web, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	go func() {
		if c, err := web.Accept(); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n<script>alert(1)</script>")
			c.Close()
		}
	}()
	_, err = HostKey(t.Context(), web.Addr().String())
	refusedWith(t, "HostKey of a web server", err, "no SSH server")
}

func TestServerWithoutSFTP(t *testing.T) {
	k := newKeeper(t, func(k *keeper) {
		k.subsystem = func(ch io.ReadWriteCloser, _ func() bool) {
			_, _ = io.WriteString(ch, "This account is not available.\r\n")
			_ = ch.Close()
		}
	})
	_, err := NewSFTP(k.server()).List(t.Context())
	refusedWith(t, "List", err, "SFTP")
}

// hostile is a server whose folder is not what it should be.
type hostile struct {
	names   func(at int64) []os.FileInfo
	refuses error
}

func (h hostile) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method != "List" {
		return nil, os.ErrNotExist
	}
	return h, nil
}

func (h hostile) ListAt(list []os.FileInfo, at int64) (int, error) {
	some := h.names(at)
	n := copy(list, some)
	if len(some) == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (h hostile) Filewrite(*sftp.Request) (io.WriterAt, error) { return nil, h.refuses }

func (h hostile) Filecmd(*sftp.Request) error { return h.refuses }

func (h hostile) serve(k *keeper) {
	k.subsystem = func(ch io.ReadWriteCloser, _ func() bool) {
		s := sftp.NewRequestServer(ch, sftp.Handlers{FileList: h, FilePut: h, FileCmd: h})
		defer func() { _ = s.Close() }()
		_ = s.Serve()
	}
}

// entry is what such a server tells of a file.
type entry struct {
	os.FileInfo
	name string
}

func (e entry) Name() string { return e.name }

func TestHostileNames(t *testing.T) {
	file, err := os.Stat("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"dmpool-main-20261123-000001.age", "../../etc/shadow", "a b", "x\x00y", "<script>", "..", ".", "", "-rf", strings.Repeat("n", 5000), "备份", "dmpool-main-20261123-000002.age.part", "con\n"}
	h := hostile{names: func(at int64) (some []os.FileInfo) {
		if at > 0 {
			return nil
		}
		for _, name := range all {
			some = append(some, entry{file, name})
		}
		return some
	}}
	k := newKeeper(t, h.serve)
	if got := strings.Join(names(t, NewSFTP(k.server())), " "); got != all[0] {
		t.Errorf("List = %q", got)
	}
}

// A folder without an end is not read to its end.
func TestFlood(t *testing.T) {
	file, err := os.Stat("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	h := hostile{names: func(int64) []os.FileInfo {
		some := make([]os.FileInfo, 100)
		for i := range some {
			some[i] = entry{file, rand.Text() + strings.Repeat("x", 60)}
		}
		return some
	}}
	k := newKeeper(t, h.serve)
	list, err := NewSFTP(k.server()).List(t.Context())
	refusedWith(t, "List", err, "too many files")
	if len(list) > 0 {
		t.Errorf("List = %d files with an error", len(list))
	}
}

// What a server says is in no sentence.
func TestRefusingServer(t *testing.T) {
	for name, test := range map[string]struct {
		says error
		word string
	}{
		"may not":       {sftp.ErrSSHFxPermissionDenied, "does not let this user"},
		"anything else": {errors.New("Planted-Secret-3 <script>"), "did not take the file"},
	} {
		h := hostile{refuses: test.says, names: func(int64) []os.FileInfo { return nil }}
		k := newKeeper(t, h.serve)
		refusedWith(t, name, NewSFTP(k.server()).Put(t.Context(), "dmpool-main-20261123-000001.age", strings.NewReader("x")), test.word)
	}
}

// A server that knows none of OpenSSH's extensions keeps files, too.
func TestPlainServer(t *testing.T) {
	if err := sftp.SetSFTPExtensions(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sftp.SetSFTPExtensions("hardlink@openssh.com", "posix-rename@openssh.com", "statvfs@openssh.com"); err != nil {
			t.Error(err)
		}
	}()
	p := NewSFTP(newKeeper(t).server())
	if err := Try(t.Context(), p); err != nil {
		t.Error(err)
	}
	if free, known, err := p.Free(t.Context()); err != nil || known {
		t.Errorf("Free = %d, %v, %v, want nothing that is known", free, known, err)
	}
}

func TestFullServer(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Memory(t, "2m")
	k := newKeeper(t, func(k *keeper) { k.dir = disk.Dir })
	p := NewSFTP(k.server())
	refusedWith(t, "Put", p.Put(t.Context(), "dmpool-main-20261123-000001.age", bytes.NewReader(make([]byte, 8<<20))), "is full")
	if left, err := filepath.Glob(filepath.Join(disk.Dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if err := Try(t.Context(), p); err != nil {
		t.Errorf("Try, for which there is room: %v", err)
	}
}
