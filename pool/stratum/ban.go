package stratum

import (
	"net"
	"net/netip"
	"slices"
	"time"
)

// Ban keeps somebody out until it is lifted: an account, one of its workers, or
// everybody in a network. It says nothing about shares that were accepted before.
type Ban struct {
	Address string       // account
	Worker  string       // of that account; empty: all of them
	Network netip.Prefix // only when Address is empty
}

// Enforce replaces the bans. Sessions that one of them is about end at once, and
// with them the other workers of a proxy, which may come again without.
func (s *Server) Enforce(bans []Ban) {
	list := slices.Clone(bans)
	s.bans.Store(&list)
	for _, session := range s.live() {
		if session.banned() {
			_ = session.conn.Close()
		}
	}
}

// refuses returns what a banned worker is told, nil for everybody else.
func (s *Server) refuses(w Worker, peer net.Addr) error {
	list := s.bans.Load()
	if list == nil {
		return nil
	}
	ip := addrOf(peer)
	for _, b := range *list {
		switch {
		case b.Address == "":
			if b.Network.Contains(ip) {
				return errBannedNetwork
			}
		case b.Address == w.Address && b.Worker == "":
			return errBannedAddress
		case b.Address == w.Address && b.Worker == w.Name:
			return errBannedWorker
		}
	}
	return nil
}

// banned reports whether a ban is about one of the session's workers. A ban may
// come while a worker is being let in, so every session is looked at again in
// its turn.
func (s *session) banned() bool {
	s.mu.Lock()
	workers := s.state.workers()
	s.mu.Unlock()
	is := slices.ContainsFunc(workers, func(w Worker) bool { return s.server.refuses(w, s.peer) != nil })
	if is && s.server.seldom("ban", time.Now()) {
		s.log().Info("Session ended: banned by an operator")
	}
	return is
}

// addrOf is the IP address of a peer, the zero Addr when it has none.
func addrOf(peer net.Addr) netip.Addr {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
