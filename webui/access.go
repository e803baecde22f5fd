package webui

import (
	"net/http"
	"net/netip"

	"github.com/dmpool/dmpool/pool"
)

// mayOperate reports whether an operator may come from that address. Elsewhere
// nobody can sign in, and who has signed in is a stranger.
func (s *site) mayOperate(ip netip.Addr) bool {
	return s.isNear(ip) || s.box.Rules().AdminFrom == pool.FromAnywhere
}

// isNear reports whether an address is this machine's, or of a network that is not
// reached from the internet. At home, public IPv6 addresses are near as well if their
// network, the first 64 bits, is one of this machine's.
func (s *site) isNear(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
		return true
	}
	for _, text := range s.box.Addresses() {
		own, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		bits := own.BitLen()
		if own.Is6() {
			bits = 64
		}
		if home, err := own.Prefix(bits); err == nil && home.Contains(ip) {
			return true
		}
	}
	return false
}

// away says that operators do not come from there.
func away() error { return &problem{Status: http.StatusForbidden, Code: "away"} }

// lockedOut is why operators cannot shut the door behind which they stand.
const lockedOut = "You are not in a private network now, so this would lock you out at once. Change it from there."

// locksOut reports whether who could not come back under these settings.
func (s *site) locksOut(is pool.Settings, who caller) bool {
	return is.AdminFrom == pool.FromPrivate && !s.isNear(who.IP)
}

// observing lets strangers look at one miner only if the operator wants that.
func (s *site) observing(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		if !who.signedIn() && !s.box.Rules().ObserverPages {
			s.toLogin(w, r)
			return nil
		}
		return next(w, r, who)
	}
}
