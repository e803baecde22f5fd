package stratum

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

// CoinbaseRoom returns the bytes that a coinbase which pays many may have: more
// than the usual only if all connected miners can hold it. Who cannot hold the usual
// has no say, and gets the narrow job of [Server.PublishWide]: nobody who says that
// he is small makes it smaller for the others.
func (s *Server) CoinbaseRoom() int {
	room := 0
	for _, session := range s.live() {
		own, active := session.coinbaseRoom()
		if active && own >= roomUsual && (room == 0 || own < room) {
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
