package webui

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
)

// policy is the Content-Security-Policy of every answer: our own files and
// nothing else. It has no upgrade-insecure-requests, which would stop every
// asset on a plain-http home network.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"

// maxForm is the largest request body that is read.
const maxForm = 64 << 10

// guarded wraps the mux in the checks that hold for every request.
func (s *site) guarded(mux http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, caller{}, &problem{Status: http.StatusForbidden, Code: "cross-site"})
	}))
	return s.recovered(headers(s.behindProxy(s.knownHost(bounded(origin.Handler(mux))))))
}

// recovered turns a panic of a handler into an error page. http.ErrAbortHandler
// keeps its meaning.
func (s *site) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause)
			}
			s.fail(w, r, caller{}, fmt.Errorf("handler panicked: %v\n%s", cause, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}

// headers sets what every answer carries. Referrer-Policy is same-origin and
// not no-referrer: the latter makes browsers send "Origin: null" with forms,
// which the origin check then refuses.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// bounded keeps a body from filling the memory. Only a signed transaction is
// longer than other forms, and what is read as it comes ([uploadLimit]).
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxForm)
		switch {
		case uploadLimit(r.URL.Path) > 0:
			limit = uploadLimit(r.URL.Path)
		case strings.HasSuffix(r.URL.Path, "/import"):
			limit = maxImport
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// knownHost refuses names that are not ours with 421. The origin check cannot
// see a rebinding attack (the attacker's name points to this box, so Origin
// and Host agree); this does. The page names none of our addresses, because a
// rebound page could read them.
func (s *site) knownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.allowsHost(r) {
			s.fail(w, r, caller{}, &problem{Status: http.StatusMisdirectedRequest, Code: "misdirected"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowsHost accepts loopback names, the address that the connection came in
// on, the addresses of this box, its own name (plain and .local), and the
// names in Options.Hosts.
func (s *site) allowsHost(r *http.Request) bool {
	host := hostname(r.Host)
	if host == "" {
		return false
	}
	if host == "localhost" {
		return true
	}
	if ip := net.ParseIP(host); ip != nil {
		if ip.IsLoopback() {
			return true
		}
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			if tcp, ok := local.(*net.TCPAddr); ok && tcp.IP.Equal(ip) {
				return true
			}
		}
		for _, own := range s.box.Addresses() {
			if ip.Equal(net.ParseIP(own)) {
				return true
			}
		}
	}
	for _, name := range s.hosts {
		if host == name {
			return true
		}
	}
	return false
}

// hostname is the name in a Host header: no port, no brackets, no final dot,
// lower case.
func hostname(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// ownNames are the machine's name, plain and as multicast DNS announces it,
// and the names that the operator configured.
func ownNames(configured []string) []string {
	var names []string
	for _, name := range configured {
		names = append(names, hostname(name))
	}
	own, err := os.Hostname()
	if err != nil || own == "" {
		return names
	}
	own = hostname(own)
	short, _, _ := strings.Cut(own, ".")
	return append(names, own, short, short+".local")
}
