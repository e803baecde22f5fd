package drill

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// Bound is how many bytes a drill may put on the disk; it takes about 40 MB.
const Bound = 256_000_000

// RoomError says that the disk has no room for a drill.
type RoomError struct{ Free, Needed int64 }

func (e *RoomError) Error() string {
	const mb = 1_000_000
	return fmt.Sprintf("the disk has %d MB left, and a fire drill begins with %d MB: it takes up to %d MB, and the pool and its node have to keep enough. Free some space, and begin again",
		e.Free/mb, e.Needed/mb, int64(Bound/mb))
}

// Room returns a [*RoomError] when a drill on the disk of dir could get a box of that
// network into trouble.
func Room(dir, network string) error {
	m, err := bitcoind.Survey(dir)
	if err != nil {
		return err
	}
	if needed := Bound + bitcoind.LimitsOf(network, m.DiskTotal).Alarm; m.DiskFree < needed {
		return &RoomError{m.DiskFree, needed}
	}
	return nil
}

// SizeError says that a drill took more of the disk than it may.
type SizeError struct{ Bytes int64 }

func (e *SizeError) Error() string {
	const mb = 1_000_000
	return fmt.Sprintf("its folder grew to %d MB, and a fire drill may take %d MB", e.Bytes/mb, int64(Bound/mb))
}

// Guard looks at the size of dir until ctx ends, and calls stop with a [*SizeError]
// when it is beyond the bound.
func Guard(ctx context.Context, dir string, stop func(error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if n := sizeOf(dir); n > Bound {
				stop(&SizeError{n})
				return
			}
		}
	}
}

// sizeOf adds up the files of a folder in which files come and go.
func sizeOf(dir string) (bytes int64) {
	// What cannot be looked at has gone meanwhile.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}
