package webui

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// publicAPI is the part of the routes that everybody may use, for a port of its
// own. Nobody is signed in there: cookies do not know ports, so a browser sends
// the operator's to this one, too.
func (s *site) publicAPI() http.Handler {
	mux := s.mux(s.routes(), func(rt route) bool { return rt.access == public })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), apiPort{}, true))
		r.Header = r.Header.Clone()
		r.Header.Del("Cookie")
		r.Header.Del("Authorization")
		mux.ServeHTTP(w, r)
	})
}

// apiPort marks the requests that came in on the port of the public API.
type apiPort struct{}

func onAPIPort(r *http.Request) bool { return r.Context().Value(apiPort{}) != nil }

// share lets the scripts of other sites read the answer, if the operator wants
// that: any site that a visitor of this network opens can then ask this box. They
// read what a stranger reads, because browsers send no cookie along to "*".
func (s *site) share(h http.Header) {
	if !s.box.Rules().PublicAPICORS {
		return
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// behindProxy puts the visitor's address in the place of the proxy's, where the
// connection comes from a proxy that the operator named. Each proxy appends the
// address that it saw to X-Forwarded-For, so the visitor is the last one there that
// is no such proxy; what stands before it is the visitor's own claim.
func (s *site) behindProxy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.trusts(remoteIP(r)) {
			seen := r.WithContext(context.WithValue(r.Context(), proxied{}, true))
			seen.RemoteAddr = net.JoinHostPort(s.visitorOf(r).String(), "0")
			r = seen
		}
		next.ServeHTTP(w, r)
	})
}

// proxied marks the requests that came by a proxy that the operator named.
type proxied struct{}

func isProxied(r *http.Request) bool { return r.Context().Value(proxied{}) != nil }

func (s *site) visitorOf(r *http.Request) netip.Addr {
	ip := remoteIP(r)
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for s.trusts(ip) && len(chain) > 0 {
		before, err := forwardedIP(chain[len(chain)-1])
		if err != nil {
			break // the proxy saw something that is no address, such as "unknown"
		}
		ip, chain = before, chain[:len(chain)-1]
	}
	return ip
}

func (s *site) trusts(ip netip.Addr) bool {
	for _, p := range s.proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// forwardedIP reads an address as proxies write it: some add the port.
func forwardedIP(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), nil
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return ip.Unmap().WithZone(""), err
}
