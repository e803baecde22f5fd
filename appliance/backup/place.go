package backup

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Suffix ends the name of every backup.
const Suffix = ".age"

// ours is the name of a backup that [Name] made.
var ours = regexp.MustCompile(`^dmpool-[a-z0-9]+-\d{8}-\d{6}(-\d{1,3})?\.age$`)

// Name is what a backup is called: by its network and the time at which it was made.
// number tells apart those of one second; the first has 1.
func Name(network string, made time.Time, number int) string {
	name := "dmpool-" + network + "-" + made.UTC().Format("20060102-150405")
	if number > 1 {
		name += fmt.Sprintf("-%d", number)
	}
	return name + Suffix
}

// IsName tells whether a file is called as backups are. Such a name holds no path.
func IsName(name string) bool { return ours.MatchString(name) }

// Made returns when a backup was made, by its name.
func Made(name string) (at time.Time, known bool) {
	parts := strings.Split(strings.TrimSuffix(name, Suffix), "-")
	if !IsName(name) {
		return at, false
	}
	at, err := time.Parse("20060102-150405", parts[2]+"-"+parts[3])
	return at, err == nil
}

// Place keeps backups. Its methods are called one after the other. They fail with
// [ErrMissing], [ErrAway], or with what went wrong; a method that hangs ends with ctx.
//
// What else lies there is left alone: only names that [IsName] knows are listed, and
// only such are given to the other methods.
type Place interface {
	// Put keeps a backup. Under its name there is all of it, on the disk, when Put
	// returns nil, and nothing otherwise. A name that is there already is an error.
	Put(ctx context.Context, name string, content io.Reader) error
	// List lists what is kept, in the order of the names.
	List(ctx context.Context) ([]Stored, error)
	// Open reads a backup back.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove deletes a backup. One that is not there is ErrMissing.
	Remove(ctx context.Context, name string) error
	// Free is how many bytes there is room for; known is false when the place does
	// not tell.
	Free(ctx context.Context) (bytes int64, known bool, err error)
}

// Stored is a backup in a place.
type Stored struct {
	Name string
	Size int64
}
