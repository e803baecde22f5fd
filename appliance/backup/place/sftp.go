package place

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

const (
	// patience is how long a server may take to let somebody in, and for each answer.
	patience = 30 * time.Second
	// errandTime is how long a small errand may take in all.
	errandTime = 2 * time.Minute
	// putTime is how long a file may take: 1 GB over the slowest line that is of use.
	putTime = 4 * time.Hour
	// settleTime is how long a server may take to bring a whole file to its disk, of
	// which it tells nothing meanwhile: 1 GB in the memory of a small one.
	settleTime = 15 * time.Minute
)

// SFTP keeps files on a server. Each errand has a connection of its own, so that
// nothing is left over from one that went wrong.
type SFTP struct {
	server   Server
	patience time.Duration
	settling time.Duration
}

// NewSFTP returns the place on a server. It connects to nothing yet.
func NewSFTP(server Server) *SFTP { return &SFTP{server, patience, settleTime} }

// errand does something over a connection of its own.
func (s *SFTP) errand(ctx context.Context, most time.Duration, otherwise string, do func(*session) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, most, refused(nil, "the server is too slow"))
	defer cancel()
	c, err := begin(ctx, s.server, s.patience)
	if err != nil {
		return err
	}
	defer c.end()
	return c.explain(do(c), otherwise)
}

// Put implements [backup.Place].
func (s *SFTP) Put(ctx context.Context, name string, from io.Reader) error {
	if err := checkNew(name); err != nil {
		return err
	}
	source := &source{from: from}
	const otherwise = "the server did not take the file; its disk may be full, or not be writable"
	err := s.errand(ctx, putTime, otherwise, func(c *session) error {
		return c.put(s.server.folder(), name, source, s.settling)
	})
	if err != nil && source.err != nil && ctx.Err() == nil {
		return fmt.Errorf("read what is to be kept: %w", source.err)
	}
	return err
}

// source remembers why it could not be read, which is no fault of the server.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// List implements [backup.Place].
func (s *SFTP) List(ctx context.Context) (list []backup.Stored, err error) {
	noFolder := false
	err = s.errand(ctx, errandTime, "the server does not show what is in the folder", func(c *session) error {
		all, err := c.files(s.server.folder())
		if errors.Is(err, fs.ErrNotExist) {
			noFolder = true // it is made with the first file, or what it is on is not mounted
			return nil
		}
		list = stored(all)
		return err
	})
	if noFolder {
		return nil, away(nil, "there is no folder %s on the server", s.server.folder())
	}
	return list, err
}

// Remove implements [backup.Place].
func (s *SFTP) Remove(ctx context.Context, name string) error {
	if !backup.IsName(name) {
		return backup.ErrMissing
	}
	missing := false
	err := s.errand(ctx, errandTime, "the server did not delete the file", func(c *session) error {
		err := c.Remove(path.Join(s.server.folder(), name))
		missing = errors.Is(err, fs.ErrNotExist)
		return err
	})
	if missing {
		return backup.ErrMissing
	}
	return err
}

// Free implements [backup.Place].
func (s *SFTP) Free(ctx context.Context) (bytes int64, known bool, err error) {
	err = s.errand(ctx, errandTime, "the server does not tell how much room it has", func(c *session) (err error) {
		folder := s.server.folder()
		if _, err := c.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			folder = "."
		}
		bytes, err = c.free(folder)
		known = err == nil
		if errors.Is(err, errUnknown) {
			return nil
		}
		return err
	})
	return bytes, known, err
}

// Open implements [backup.Place].
func (s *SFTP) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !backup.IsName(name) {
		return nil, backup.ErrMissing
	}
	c, err := begin(ctx, s.server, s.patience)
	if err != nil {
		return nil, err
	}
	f, err := c.Open(path.Join(s.server.folder(), name))
	if err != nil {
		c.end()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, backup.ErrMissing
		}
		return nil, c.explain(err, unread)
	}
	c.life.rest()
	return &remote{c: c, from: bufio.NewReaderSize(f, inFlight<<15)}, nil
}

const unread = "the server does not hand the file out"

// remote is an open file. Only while somebody reads does the server owe anything.
type remote struct {
	c    *session
	from *bufio.Reader
}

// Read implements io.Reader.
func (r *remote) Read(p []byte) (int, error) {
	r.c.life.wait()
	n, err := r.from.Read(p)
	r.c.life.rest()
	if err != nil && (!errors.Is(err, io.EOF) || r.c.life.verdict() != nil) {
		err = r.c.explain(err, unread)
	}
	return n, err
}

// Close implements io.Closer.
func (r *remote) Close() error {
	r.c.end()
	return nil
}
