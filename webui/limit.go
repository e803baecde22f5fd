package webui

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits are the buckets of the route table. They are apart from each other:
// a page that polls can never use up the tries of the login form. The bucket of
// the operator's pages is wide: it only keeps a flood of strangers, who are sent
// to the login form, from asking the session table for each request.
type limits struct {
	desk, pages, login, tokens, api, none *limiter
}

func newLimits(now func() time.Time) limits {
	return limits{
		desk:   newLimiter(now, time.Minute/1200, 1200),
		pages:  newLimiter(now, time.Minute/240, 240),
		login:  newLimiter(now, time.Minute/10, 10),
		tokens: newLimiter(now, time.Minute/10, 10), // wrong ones
		api:    newLimiter(now, time.Minute/60, 60),
		none:   nil,
	}
}

// limiter is a token bucket per visitor. The visitor is the address at the
// other end of the socket: headers such as X-Forwarded-For are written by
// whoever sends them, and count only from a proxy that the operator named, see
// behindProxy. For how addresses are grouped see visitor.
//
// A nil limiter lets everything through. It is safe for concurrent use.
type limiter struct {
	now   func() time.Time
	every time.Duration
	burst int

	mu       sync.Mutex
	visitors map[netip.Prefix]*rate.Limiter
}

// maxVisitors bounds the memory of a limiter (about 100 bytes each).
const maxVisitors = 10_000

func newLimiter(now func() time.Time, every time.Duration, burst int) *limiter {
	return &limiter{now: now, every: every, burst: burst, visitors: map[netip.Prefix]*rate.Limiter{}}
}

// allowance is what a visitor may still do, after one more request.
type allowance struct {
	Wait time.Duration // until the next request is answered; 0: this one is
	Left int           // requests that would be answered now
	Full time.Duration // until as many are as ever
}

// take spends one token of ip's bucket, if there is one.
func (l *limiter) take(ip netip.Addr) allowance {
	if l == nil {
		return allowance{}
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()

	bucket := l.bucket(visitor(ip), now)
	res := bucket.ReserveN(now, 1)
	wait := res.DelayFrom(now)
	if wait > 0 {
		res.CancelAt(now)
	}
	tokens := bucket.TokensAt(now)
	return allowance{
		Wait: wait,
		Left: int(tokens),
		Full: time.Duration((float64(l.burst) - tokens) * float64(l.every)),
	}
}

// perMinute is how many requests a visitor may send for long.
func (l *limiter) perMinute() int { return int(time.Minute / l.every) }

// tell writes the headers by which a program can keep to the limit: how many
// requests the bucket holds, how many are left, and in how many seconds it is
// full again.
func (l *limiter) tell(h http.Header, a allowance) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(l.burst))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(a.Left))
	h.Set("X-RateLimit-Reset", strconv.Itoa(int((a.Full+time.Second-1)/time.Second)))
}

func (l *limiter) bucket(key netip.Prefix, now time.Time) *rate.Limiter {
	if b, ok := l.visitors[key]; ok {
		return b
	}
	if len(l.visitors) >= maxVisitors {
		l.forget(now)
	}
	if len(l.visitors) >= maxVisitors {
		key = netip.Prefix{} // the strangers of a flood share one bucket
		if b, ok := l.visitors[key]; ok {
			return b
		}
	}
	b := rate.NewLimiter(rate.Every(l.every), l.burst)
	l.visitors[key] = b
	return b
}

// forget drops every bucket that is full again: a new one would be the same.
func (l *limiter) forget(now time.Time) {
	for key, b := range l.visitors {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.visitors, key)
		}
	}
}

// visitor groups an address as limits count it. In the public part of IPv6 a
// visitor is a whole /64, since that is what one household chooses addresses
// from. On the home network (link-local and unique local addresses) one /64
// holds everybody, so there each machine counts for itself.
func visitor(ip netip.Addr) netip.Prefix {
	bits := ip.BitLen()
	if ip.Is6() && ip.IsGlobalUnicast() && !ip.IsPrivate() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// remoteIP is the address at the other end of the socket, or of the proxy's;
// the zero Addr when it has none (a test's recorder, a unix socket).
func remoteIP(r *http.Request) netip.Addr { return socketIP(r.RemoteAddr) }

func socketIP(addr string) netip.Addr {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
