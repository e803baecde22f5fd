package minersim_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each device, alone with the server, through everything that a day brings:
// new blocks with other targets, refreshes, a node that is away, a restart.
func TestDevices(t *testing.T) {
	for _, profile := range minersim.Profiles() {
		t.Run(profile.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &pipes{}
				p := newTestPool(t, stratum.Config{}, network.listen)
				defer p.close()
				d := newDevice(profile, network.dial)
				f := run(d)

				for i := range 8 {
					time.Sleep(15 * time.Second)
					p.newTip([]uint32{bits512, bits2k, bits1k}[i%3])
					time.Sleep(25 * time.Second)
					p.publish(false)
				}
				p.server.Pause("the node is away")
				time.Sleep(130 * time.Second) // longer than the patience of most
				p.server.Resume()
				p.newTip(bits512)
				time.Sleep(20 * time.Second)

				before := d.Stats()
				p.close()
				time.Sleep(4 * time.Second)
				p.start()
				time.Sleep(time.Minute)
				f.end(t)
				checkShares(t, p, d)
				after := d.Stats()
				if after.Connections <= before.Connections || after.Jobs <= before.Jobs && profile.Visit != minersim.OneRead {
					t.Errorf("no work after the restart: %+v", after)
				}
				// A restart takes a moment's shares along, nothing else may.
				if before.Connections > 1 && profile.Visit == minersim.Stay {
					t.Errorf("%d connections before the restart", before.Connections)
				}
				if profile.Visit == minersim.Stay && len(before.Tips) != 10 {
					t.Errorf("saw %d tips, want 10", len(before.Tips))
				}
			})
		})
	}
}

// checkShares compares what a device thinks with what the pool has.
func checkShares(t *testing.T, p *testPool, d *minersim.Device) {
	t.Helper()
	s := d.Stats()
	if total := s.Accepted + s.Refused(); 1000*s.Refused() > 5*total {
		t.Errorf("%s: %d accepted, rejected %v", d.Profile.Name, s.Accepted, s.Rejected)
	}
	if d.Profile.Visit == minersim.Stay && s.Accepted < 3 {
		t.Errorf("%s: only %d shares accepted of %d hashes", d.Profile.Name, s.Accepted, s.Hashes)
	}
	if has := p.acceptedOf(workerName(d.Profile)); has < s.Accepted {
		t.Errorf("%s: was told of %d accepted shares, the pool has %d", d.Profile.Name, s.Accepted, has)
	}
	t.Logf("%-24s %5d accepted, %d rejected, %d jobs, %d difficulties, %d connections",
		d.Profile.Name, s.Accepted, s.Refused(), s.Jobs, s.Difficulties, s.Connections)
}

// All devices at once, on real sockets: the answers of one must never show in
// the conversation of another.
func TestSideBySide(t *testing.T) {
	var address string
	p := newTestPool(t, stratum.Config{KeepAlive: time.Second}, func() (net.Listener, error) {
		var lc net.ListenConfig
		ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err == nil {
			address = ln.Addr().String()
		}
		return ln, err
	})
	defer p.close()
	dial := func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", address)
	}
	var devices []*minersim.Device
	for _, profile := range minersim.Profiles() {
		profile.Retry = 200 * time.Millisecond
		d := newDevice(profile, dial)
		d.Hashrate, d.Patience = 5000, 50
		devices = append(devices, d)
	}
	f := run(devices...)
	for i := range 8 {
		time.Sleep(250 * time.Millisecond)
		p.newTip([]uint32{bits512, bits1k}[i%2])
		time.Sleep(250 * time.Millisecond)
		p.publish(false)
	}
	time.Sleep(250 * time.Millisecond)
	f.end(t)
	for _, d := range devices {
		checkShares(t, p, d)
	}
}

// A device whose connection breaks comes back with the id of its session, gets
// its extranonce1 again, and what it has found meanwhile counts.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &pipes{}
		p := newTestPool(t, stratum.Config{}, network.listen)
		defer p.close()
		conns := make(chan net.Conn, 10)
		d := newDevice(profileOf(t, "Avalon (cgminer)"), func(ctx context.Context) (net.Conn, error) {
			conn, err := network.dial(ctx)
			conns <- conn
			return conn, err
		})
		d.Hashrate = 1000
		f := run(d)
		for range 3 {
			time.Sleep(10500 * time.Millisecond)
			_ = (<-conns).Close()
			time.Sleep(10 * time.Second)
			p.publish(false)
		}
		s := d.Stats()
		if s.Connections != 4 || s.Kept < 8 || s.Refused() > 0 {
			t.Errorf("%d connections, %d shares kept, rejected %v", s.Connections, s.Kept, s.Rejected)
		}
		f.end(t)
		checkShares(t, p, d)
	})
}

// Vardiff leads devices away from a start that is far off, up after a flood and
// down in silence, and no change costs a share.
func TestVardiff(t *testing.T) {
	tests := []struct {
		name         string
		device       string
		start        float64
		hashrate     float64
		refreshes    int
		difficulties int
		accepted     uint64
	}{
		{"up", "cpuminer 2.5.1", 1e-5, 30_000, 4, 2, 10}, // about 28 come; a third of that is luck that nobody has
		{"down", "cpuminer 2.5.1", 0.05, 100, 8, 3, 0},
		{"down from a suggestion", "NerdMiner 1.8.3", 0.05, 100, 8, 2, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &pipes{}
				p := newTestPool(t, stratum.Config{StartDifficulty: test.start}, network.listen)
				defer p.close()
				p.newTip(0x1d00ffff)
				d := newDevice(profileOf(t, test.device), network.dial)
				d.Hashrate = test.hashrate
				f := run(d)
				defer f.end(t)
				for range test.refreshes {
					time.Sleep(30 * time.Second)
					p.publish(false)
				}
				s := d.Stats()
				if s.Difficulties < test.difficulties || s.Accepted < test.accepted || s.Refused() > 0 {
					t.Errorf("%d difficulties, %d accepted, rejected %v", s.Difficulties, s.Accepted, s.Rejected)
				}
			})
		})
	}
}

func profileOf(t *testing.T, name string) minersim.Profile {
	t.Helper()
	for _, p := range minersim.Profiles() {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no profile %q", name)
	return minersim.Profile{}
}

// On a network that is hard, devices that know only integers get them: the
// judges of ESP-Miner 2.4 and NerdQAxe++ look at every number.
func TestWholeDifficulties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &pipes{}
		p := newTestPool(t, stratum.Config{}, network.listen)
		defer p.close()
		p.newTip(bitsHard)
		var devices []*minersim.Device
		for _, profile := range minersim.Profiles() {
			d := newDevice(profile, network.dial)
			d.Hashrate = 20 // for the form
			devices = append(devices, d)
		}
		f := run(devices...)
		for range 40 { // without a share each difficulty goes down to its floor
			time.Sleep(30 * time.Second)
			p.publish(false)
		}
		f.end(t)
		for _, d := range devices {
			if s := d.Stats(); d.Profile.Visit == minersim.Stay && (s.Connections != 1 || s.Jobs < 40) {
				t.Errorf("%s: %+v", d.Profile.Name, s)
			}
		}
	})
}
