package place

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
)

var (
	// ErrNotAllowed says that the service may not write to a folder.
	ErrNotAllowed = errors.New("the service may not write to the folder")
	// ErrHostKey says that a server has another host key than the confirmed one.
	ErrHostKey = errors.New("the server has another host key")
)

// Error is what went wrong at a place, for people. Its text is a sentence without
// its capital letter and full stop; what the machine said about it is wrapped.
type Error struct {
	Sentence string
	Err      error
}

// Error implements error.
func (e *Error) Error() string { return e.Sentence }

// Unwrap returns what the machine said.
func (e *Error) Unwrap() error { return e.Err }

// refused makes an [*Error].
func refused(cause error, format string, args ...any) error {
	return &Error{Sentence: fmt.Sprintf(format, args...), Err: cause}
}

// away is refused for a place that is not there at the moment, of which nothing is known.
func away(cause error, format string, args ...any) error {
	return refused(errors.Join(backup.ErrAway, cause), format, args...)
}

const (
	// partSuffix ends the name of a file that is being written.
	partSuffix = ".part"
	// partAge is how old a part is when nobody can be writing it any more.
	partAge = 24 * time.Hour
)

// isPart tells the parts of our files.
func isPart(name string) bool {
	whole, part := strings.CutSuffix(name, partSuffix)
	return part && backup.IsName(whole)
}

// checkNew refuses what is no name of a backup.
func checkNew(name string) error {
	if !backup.IsName(name) {
		return fmt.Errorf("%q is no name of a backup", name)
	}
	return nil
}

// stored lists the backups among the files of a folder.
func stored(all []fs.FileInfo) (list []backup.Stored) {
	for _, f := range all {
		if backup.IsName(f.Name()) {
			list = append(list, backup.Stored{Name: f.Name(), Size: f.Size()})
		}
	}
	slices.SortFunc(list, func(a, b backup.Stored) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
