// Package laid reads files that another user has laid down for this one: somebody
// who is trusted with neither their content nor what lies under their name.
package laid

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Open opens a regular file, and nothing else that could lie in its place: no
// link, no pipe to wait for, no device, and no second name of a file elsewhere.
func Open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	about, err := file.Stat()
	if err == nil && !plain(about) {
		err = fmt.Errorf("%s is no regular file of its own", path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func plain(about os.FileInfo) bool {
	stat, ok := about.Sys().(*syscall.Stat_t)
	return ok && about.Mode().IsRegular() && stat.Nlink == 1
}

// Read returns the content of a file that is no longer than most bytes.
func Read(path string, most int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%s is longer than %d bytes", filepath.Base(path), most)
	}
	return text, nil
}
