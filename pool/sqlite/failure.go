package sqlite

import (
	"errors"

	"github.com/mattn/go-sqlite3"
)

// DiskFailed tells whether the disk or the memory of this machine is why a database
// could not be used, which says nothing about what is in it.
func DiskFailed(err error) bool {
	var failure sqlite3.Error
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Code {
	case sqlite3.ErrIoErr, sqlite3.ErrFull, sqlite3.ErrCantOpen, sqlite3.ErrNomem:
		return true
	}
	return false
}
