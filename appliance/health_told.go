package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A running box leaves in its data directory how it is, for who asks on the machine
// without a browser ([Examine]): what it alone knows, such as how the node is.

// toldEvery is how often that is written, toldSoon how often while not all is well, which
// changes sooner, and toldOld from when on it is too old to be believed.
const (
	toldEvery = 30 * time.Second
	toldSoon  = 5 * time.Second
	toldOld   = 2 * time.Minute
)

// toldHealth is the content of the file.
type toldHealth struct {
	At     time.Time
	Health Health
}

// tellHealth writes the file until ctx ends, and takes it away then. It is no loss
// when it cannot be written: whoever reads it sees how old it is.
func (a *Appliance) tellHealth(ctx context.Context) {
	path := a.dir.health(a.network)
	defer func() { _ = os.Remove(path) }()
	for {
		h := a.Health(ctx)
		if err := writeHealth(path, h); err != nil {
			a.log.Debug("Health not written", "err", err)
		}
		next := toldEvery
		if h.Status != Healthy {
			next = toldSoon
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

func writeHealth(path string, h Health) error {
	text, err := json.Marshal(toldHealth{At: time.Now(), Health: h})
	if err != nil {
		return fmt.Errorf("encode health: %w", err)
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil { // what a power cut takes is old by then
		return fmt.Errorf("write health: %w", err)
	}
	return os.Rename(fresh, path)
}

// told reads the file; the zero value says that there is none.
func (d dataDir) told(network string) (t toldHealth, err error) {
	text, err := os.ReadFile(d.health(network))
	if errors.Is(err, os.ErrNotExist) {
		return t, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		return t, fmt.Errorf("read what the pool has said: %w", err)
	}
	return t, nil
}

// running tells whether a pool, or its first set-up, has the data directory.
func (d dataDir) running() (bool, error) {
	f, err := os.Open(d.lockFile())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open lock: %w", err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at lock: %w", err)
	}
	return false, nil
}
