package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// session is one connection to a server, for one errand.
type session struct {
	*sftp.Client
	line *ssh.Client
	life *watch
	stay func() bool // keeps it from ending with the context
}

var (
	errFull    = errors.New("no room")
	errUnknown = errors.New("the server does not tell")
)

// listSize is the largest list of files that is read, in bytes: some ten thousand.
const listSize = 4 << 20

// begin opens the errand's connection. The watch counts until it is told to rest.
func begin(ctx context.Context, server Server, patience time.Duration) (*session, error) {
	config, err := server.config()
	if err != nil {
		return nil, err
	}
	line, err := dial(ctx, server.Address, patience, config)
	if err != nil {
		return nil, err
	}
	c := &session{line: line, life: newWatch(patience, func() { _ = line.Close() })}
	c.stay = context.AfterFunc(ctx, func() { c.life.end(context.Cause(ctx)) })
	if err := c.start(); err != nil {
		c.end()
		if c.life.verdict() == nil {
			return nil, away(err, "the server lets this user in, but does not take files over SFTP")
		}
		return nil, c.explain(err, "")
	}
	return c, nil
}

// start asks for SFTP.
func (c *session) start() error {
	channel, err := c.line.NewSession()
	if err != nil {
		return err
	}
	to, err := channel.StdinPipe()
	if err != nil {
		return err
	}
	if c.life.Reader, err = channel.StdoutPipe(); err != nil {
		return err
	}
	if err := channel.RequestSubsystem("sftp"); err != nil {
		return err
	}
	c.Client, err = sftp.NewClientPipe(c.life, to)
	return err
}

// end hangs up. The line goes first: a server that hangs is not waited for.
func (c *session) end() {
	c.stay()
	c.life.rest()
	_ = c.line.Close()
	if c.Client != nil {
		_ = c.Client.Close()
	}
}

// explain makes a sentence of an error: otherwise, where the reason is not one of
// those that are known.
func (c *session) explain(err error, otherwise string) error {
	if err == nil {
		return nil
	}
	switch cut := c.life.verdict(); {
	case errors.Is(cut, errLate):
		return away(cut, "the server stopped answering")
	case errors.Is(cut, errFlood):
		return refused(cut, "the folder on the server holds too many files; use one of its own for the backups")
	case cut != nil: // the context's
		return cut
	case errors.Is(err, sftp.ErrSSHFxConnectionLost), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return away(err, "the connection to the server was cut")
	case errors.Is(err, fs.ErrExist):
		return refused(err, "there is a backup of that name already")
	case errors.Is(err, errFull):
		return refused(err, "the disk of the server is full")
	case errors.Is(err, fs.ErrPermission):
		return refused(err, "the server does not let this user do that in the folder")
	}
	return refused(err, "%s", otherwise)
}

// files lists the regular files of a folder.
func (c *session) files(folder string) ([]fs.FileInfo, error) {
	c.life.allow(listSize)
	defer c.life.allow(-1)
	all, err := c.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	regular := all[:0]
	for _, f := range all {
		if f.Mode().IsRegular() {
			regular = append(regular, f)
		}
	}
	return regular, nil
}

// put writes a file whole, or returns why not.
// settling is how long the server may take to bring it to its disk.
func (c *session) put(folder, name string, from io.Reader, settling time.Duration) (err error) {
	if err := c.MkdirAll(folder); err != nil {
		return err
	}
	if err := c.sweep(folder); err != nil {
		return err
	}
	whole := path.Join(folder, name)
	part := whole + partSuffix
	if _, err := c.Lstat(whole); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fs.ErrExist, err)
	}
	defer func() {
		if _, answered := errors.AsType[*sftp.StatusError](err); answered {
			if free, unknown := c.free(folder); unknown == nil && free < 1<<20 { // the protocol has no word for it
				err = fmt.Errorf("%w: %w", errFull, err)
			}
		}
		if err != nil {
			_ = c.Remove(part) // as far as there still is a connection
		}
	}()
	size, err := c.write(part, from, settling)
	if err != nil {
		return err
	}
	got, err := c.Stat(part)
	if err != nil {
		return err
	}
	if got.Size() != size {
		return fmt.Errorf("the server has %d of %d bytes", got.Size(), size)
	}
	if _, able := c.HasExtension("posix-rename@openssh.com"); able {
		return c.PosixRename(part, whole)
	}
	return c.Rename(part, whole)
}

// inFlight is how many pieces of 32 KiB are on their way at a time, so that a server
// far away is as fast as its line.
const inFlight = 16

// write makes a file of all there is to read and has the server bring it to its disk,
// during which it says nothing.
func (c *session) write(part string, from io.Reader, settling time.Duration) (size int64, err error) {
	f, err := c.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return 0, err
	}
	defer c.life.bear(c.life.patience) // once it is closed
	defer func() { err = errors.Join(err, f.Close()) }()
	_ = f.Chmod(0o600) // what is in it is encrypted; not every server can
	if size, err = f.ReadFromWithConcurrency(from, inFlight); err != nil {
		return size, err
	}
	c.life.bear(settling)
	if _, able := c.HasExtension("fsync@openssh.com"); able {
		return size, f.Sync()
	}
	return size, nil
}

// sweep removes the parts that were left behind long ago.
func (c *session) sweep(folder string) error {
	all, err := c.files(folder)
	if err != nil {
		return err
	}
	for _, f := range all {
		if isPart(f.Name()) && time.Since(f.ModTime()) > partAge {
			_ = c.Remove(path.Join(folder, f.Name())) // the next time, then
		}
	}
	return nil
}

// free asks for the room in a folder.
func (c *session) free(folder string) (int64, error) {
	if _, able := c.HasExtension("statvfs@openssh.com"); !able {
		return 0, errUnknown
	}
	folder, err := c.RealPath(folder) // some take a relative one for their own
	if err != nil {
		return 0, err
	}
	room, err := c.StatVFS(folder)
	if err != nil {
		return 0, err
	}
	block := max(room.Frsize, 1)
	if room.Bavail > math.MaxInt64/block {
		return 0, errUnknown
	}
	return int64(room.Bavail * block), nil
}
