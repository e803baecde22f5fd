package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	maxReply   = 64 << 10 // bytes of an answer
	dialWait   = 1500 * time.Millisecond
	replyWait  = 5 * time.Second  // from the first byte out to the last one in
	deviceWait = 12 * time.Second // all that is asked of one device at a time: a page waits for two such
)

// Config says where miners are looked for. The zero value is for the world; tests have
// their devices on loopback, at other ports.
type Config struct {
	Allow    []netip.Prefix // addresses that may be asked, in the place of the private ones
	Subnets  []Subnet       // subnets of this machine, in the place of those that it has
	HTTPPort int            // of AxeOS
	APIPort  int            // of cgminer
}

// LAN is the home network. Its methods may be called at the same time.
type LAN struct {
	config Config
	dialer net.Dialer
	http   *http.Client
}

// New returns the home network. It asks nobody.
func New(c Config) *LAN {
	if c.HTTPPort == 0 {
		c.HTTPPort = 80
	}
	if c.APIPort == 0 {
		c.APIPort = 4028
	}
	if c.Allow == nil {
		c.Allow = private()
	}
	l := &LAN{config: c}
	l.dialer = net.Dialer{Timeout: dialWait, ControlContext: l.guard}
	l.http = &http.Client{
		Transport: &http.Transport{
			DialContext:            l.dialer.DialContext,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       replyWait,
	}
	return l
}

// private are the networks of homes (RFC 1918).
func private() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	}
}

// May reports whether an address may be asked.
func (l *LAN) May(ip netip.Addr) bool {
	return ip.Is4() && slices.ContainsFunc(l.config.Allow, func(p netip.Prefix) bool { return p.Contains(ip) })
}

var errForbidden = errors.New("address is outside the home network")

// guard looks at each address at the moment of the connection, whatever led there.
func (l *LAN) guard(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !l.May(at.Addr()) {
		return fmt.Errorf("%w: %s", errForbidden, address)
	}
	return nil
}

// Read asks a device what it is and what it does. [ErrNotMiner] when nobody answers
// there who mines.
func (l *LAN) Read(ctx context.Context, ip netip.Addr) (Device, error) {
	ctx, cancel := context.WithTimeout(ctx, deviceWait)
	defer cancel()
	if !l.May(ip) {
		return Device{}, fmt.Errorf("%w: %w", ErrNotMiner, errForbidden)
	}
	d, err := l.readAxeOS(ctx, ip)
	if err == nil {
		return d, nil
	}
	if errors.Is(err, syscall.EHOSTUNREACH) { // nobody has this address
		return Device{}, fmt.Errorf("%w: %w", ErrNotMiner, err)
	}
	if d, err = l.readCGMiner(ctx, ip); err != nil {
		return Device{}, fmt.Errorf("%w: %w", ErrNotMiner, err)
	}
	return d, nil
}

// Set tells a device to mine for a pool, and looks whether it does. before is what
// [LAN.Read] has just returned. An [*Error] says what did not happen; what did is in
// Done, with an error as well.
func (l *LAN) Set(ctx context.Context, before Device, want Pool, login Login) (Done, error) {
	ctx, cancel := context.WithTimeout(ctx, deviceWait)
	defer cancel()
	switch before.Way {
	case ByClick:
		if before.API == AxeOS {
			return l.setAxeOS(ctx, before.IP, axeosFields(want, before.Setting.Exact), want)
		}
		return l.switchTo(ctx, before, want)
	case ByPassword:
		login.PoolPassword = poolPassword
		return l.setAvalon(ctx, before, want, login)
	}
	return Done{}, refused("the pool of this miner can be changed on its own page only")
}

// PutBack tells a device to mine for whom it did before [LAN.Set] told it to mine for
// ours.
func (l *LAN) PutBack(ctx context.Context, before Device, kept Setting, ours Pool, login Login) (Done, error) {
	ctx, cancel := context.WithTimeout(ctx, deviceWait)
	defer cancel()
	switch before.Way {
	case ByClick:
		if before.API == AxeOS {
			return l.setAxeOS(ctx, before.IP, kept.Exact, kept.Pool)
		}
		return l.switchBack(ctx, before, kept, ours)
	case ByPassword:
		before.Setting.Slot = kept.Slot
		return l.setAvalon(ctx, before, kept.Pool, login)
	}
	return Done{}, refused("the pool of this miner can be changed on its own page only")
}

// poolPassword is what a device shows this pool: it is not looked at, see package
// stratum.
const poolPassword = "x"

// at is an address with a port.
func at(ip netip.Addr, port int) string { return net.JoinHostPort(ip.String(), strconv.Itoa(port)) }
