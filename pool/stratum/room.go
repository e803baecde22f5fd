package stratum

import "github.com/dmpool/dmpool/pool/work"

// Bytes that a coinbase may have, by what the miner's firmware can hold
// (stratum.md 2.4). The usual size is what stock firmware of unknown make and
// the pools that it was tested with agree on.
const (
	roomTiny  = 255  // one buffer of an ESP32
	roomProxy = 500  // rentals and what stands between them and the machines
	roomUsual = 700  //
	roomLarge = 2250 // large machines
	roomMost  = 6500 // known to be good with that much
)

// coinbaseRoom is the bytes of a coinbase that the device can hold.
func (d device) coinbaseRoom() int {
	if d.room == 0 {
		return roomUsual
	}
	return d.room
}

// CoinbaseRoom returns the bytes of a coinbase that every connected miner can
// hold.
func (s *Server) CoinbaseRoom() int {
	room := 0
	for _, session := range s.live() {
		if own, active := session.coinbaseRoom(); active && (room == 0 || own < room) {
			room = own
		}
	}
	if room == 0 {
		return roomUsual
	}
	return room
}

func (s *session) coinbaseRoom() (room int, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.claims.device.coinbaseRoom(), s.state.active
}

// Cramped tells when a miner has come that cannot hold the coinbase of the
// present job. It waits for the next one, which has to fit into [Server.CoinbaseRoom].
func (s *Server) Cramped() <-chan struct{} { return s.cramped }

// fits reports whether the session can hold a job's coinbase, and asks for one
// that it can. The caller holds mu.
func (s *session) fits(job *work.Job) bool {
	if job.CoinbaseSize() <= s.state.claims.device.coinbaseRoom() {
		return true
	}
	select {
	case s.server.cramped <- struct{}{}:
	default:
	}
	return false
}
