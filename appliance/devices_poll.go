package appliance

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dmpool/dmpool/appliance/device"
)

const (
	devicesEvery  = 45 * time.Second // each device is asked so often
	devicesSeldom = 15 * time.Minute // at most so seldom, when it does not answer
	devicesAtOnce = 8
)

// deviceKeeper asks the devices that were added how they are, and nobody else. What
// they say lives in memory; what they have used is added up in the database.
type deviceKeeper struct {
	box   *Appliance
	lan   *device.LAN
	wake  chan struct{}
	scans chan device.Subnet

	mu   sync.Mutex
	seen map[int64]sighting
	busy map[int64]bool // those that are being changed
	scan DeviceScan
}

// sighting is what a device said the last time, and when it is asked again.
type sighting struct {
	device.Device

	at    time.Time // zero: it has not answered yet
	away  int       // how often it has not answered since
	other bool      // another one answered at its address
	next  time.Time
}

func newDeviceKeeper(a *Appliance, c device.Config) *deviceKeeper {
	return &deviceKeeper{box: a, lan: device.New(c), wake: make(chan struct{}, 1), scans: make(chan device.Subnet, 1), seen: map[int64]sighting{}, busy: map[int64]bool{}}
}

// run asks until ctx ends, and searches when somebody wants to.
func (k *deviceKeeper) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { k.search(ctx) })
	for {
		k.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-time.After(k.rest(time.Now())):
		}
	}
}

// rest is how long nobody has to be asked.
func (k *deviceKeeper) rest(now time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := now.Add(devicesEvery)
	for _, s := range k.seen {
		if s.next.Before(next) {
			next = s.next
		}
	}
	return max(next.Sub(now), time.Second)
}

// round asks those whose time has come.
func (k *deviceKeeper) round(ctx context.Context) {
	before := k.known() // what is added from now on may be missing in the list
	list, err := k.box.Devices(ctx)
	if err != nil {
		k.box.log.Warn("Devices not read", "err", err)
		return
	}
	for _, id := range before {
		// Another one took its address, or it answered once more when it was forgotten.
		if !slices.ContainsFunc(list, func(d Device) bool { return d.ID == id }) {
			k.lost(id)
		}
	}
	used := make([]usage, len(list))
	var g errgroup.Group
	g.SetLimit(devicesAtOnce)
	for i, d := range list {
		if k.due(d.ID, time.Now()) {
			g.Go(func() error { used[i] = k.ask(ctx, d); return nil })
		}
	}
	_ = g.Wait() // no error
	// All in one transaction: a block that is found meanwhile waits for the same disk.
	if err := k.box.noteUsage(ctx, used); err != nil && ctx.Err() == nil {
		k.box.log.Warn("Energy of devices not noted", "err", err)
	}
}

// known are the devices that something is remembered of.
func (k *deviceKeeper) known() []int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.seen))
}

func (k *deviceKeeper) due(id int64, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !now.Before(k.seen[id].next)
}

// ask asks one device how it is, and returns what it has used since the last time.
func (k *deviceKeeper) ask(ctx context.Context, d Device) usage {
	answer, err := k.lan.Read(ctx, d.IP)
	if ctx.Err() != nil {
		return usage{}
	}
	if err != nil || !d.is(answer) {
		k.missed(d.ID, err == nil, time.Now())
		return usage{}
	}
	now := time.Now()
	before := k.saw(d.ID, answer, now)
	d.Seen, d.At = answer, now
	if d.Going == DeviceBack && d.Obeys() {
		if err := k.box.deviceReturned(ctx, d); err != nil {
			k.box.log.Warn("Return of device not noted", "err", err)
		}
	}
	return k.box.deviceUsed(d.ID, before, answer, now)
}

// saw remembers an answer, and returns what was known before.
func (k *deviceKeeper) saw(id int64, answer device.Device, now time.Time) (before sighting) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before = k.seen[id]
	k.seen[id] = sighting{Device: answer, at: now, next: now.Add(devicesEvery)}
	return before
}

// missed remembers that a device did not answer, or that another one did. It is asked
// more and more seldom.
func (k *deviceKeeper) missed(id int64, other bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.seen[id]
	s.away, s.other = s.away+1, other
	s.next = now.Add(min(devicesEvery<<min(s.away-1, 10), devicesSeldom))
	k.seen[id] = s
}

// soon has a device asked again at once, or after a while when it restarts.
func (k *deviceKeeper) soon(id int64, at time.Time) {
	k.mu.Lock()
	s := k.seen[id]
	s.next = at
	k.seen[id] = s
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default: // it is awake
	}
}

// claim lets one change of a device go on at a time, until release is called.
func (k *deviceKeeper) claim(id int64) (release func(), ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy[id] {
		return nil, false
	}
	k.busy[id] = true
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.busy, id)
	}, true
}

func (k *deviceKeeper) lost(id int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.seen, id)
}

// fill adds to a device what it said.
func (k *deviceKeeper) fill(d *Device) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.seen[d.ID]
	d.Seen, d.At, d.Away, d.Else = s.Device, s.at, s.away, s.other
}

// deviceReturned forgets what a device was told before: it is told that again.
func (a *Appliance) deviceReturned(ctx context.Context, d Device) error {
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE device SET kept = NULL, kept_at = NULL, going = '', url = '', user = '', told_at = NULL
			WHERE id = ? AND going = 'back' AND told_at = ?`, d.ID, d.ToldAt.UnixMilli())
		return err
	})
}
