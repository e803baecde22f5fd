package minersim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"time"
)

// diffOne is the target of difficulty 1 as firmware has it: a double.
const diffOne = 0xffff * (1 << 16) * float64(1<<48) * (1 << 48) * (1 << 48) * (1 << 48)

// unitNonces is how many nonces a device tries before it changes something
// else. Real chips try all of them; these are slow.
const unitNonces = 1 << 15

// rolledVersions is how many versions are tried with one extranonce2.
const rolledVersions = 8

// search is where a device is in the work on a job.
type search struct {
	profile     *Profile
	job         Job
	difficulty  float64 // of a share
	since       time.Time
	extranonce1 []byte
	size        int    // of extranonce2
	mask        uint32 // version bits to roll

	unit        uint64
	header      [80]byte
	extranonce2 []byte
	worker      int // whose share this is, of the names on the connection
	version     uint32
	time        uint32
	nonce, left uint32
}

// share is what a device has found.
type share struct {
	job                       string
	worker                    int
	en2, time, nonce, version string
}

// grind tries n nonces.
func (s *search) grind(n int, now time.Time, found func(share)) {
	for ; n > 0; n-- {
		if s.left == 0 {
			s.next(now)
		}
		binary.LittleEndian.PutUint32(s.header[76:], s.nonce)
		if hashDifficulty(doubleHash(s.header[:])) >= s.difficulty {
			found(s.share())
		}
		s.nonce++
		s.left--
	}
}

// next prepares the header of the next unit of work: another version, then
// another worker and extranonce2.
func (s *search) next(now time.Time) {
	p, n := s.profile, s.unit
	s.unit++
	s.version = s.job.Version
	if p.Rolling != NoRolling && s.mask != 0 {
		roll := uint32(n % rolledVersions)
		n /= rolledVersions
		roll |= roll << 13 // so that high bits take part
		s.version |= roll << bits.TrailingZeros32(s.mask) & s.mask
	}
	s.time = s.job.Time
	if p.RollTime {
		s.time += uint32(now.Sub(s.since).Seconds())
	}

	s.nonce, s.left = p.FirstNonce, unitNonces
	if p.Extranonce == Standing {
		n, s.left = 1, ^uint32(0)
	}
	s.extranonce2 = make([]byte, s.size)
	if names := p.usernames(); names > 1 {
		s.worker = int(n % uint64(names))
		s.extranonce2[0] = byte(s.worker)
		n /= uint64(names)
	}
	binary.BigEndian.PutUint32(s.extranonce2[s.size-4:], uint32(n))

	s.header = s.job.header(append(append([]byte(nil), s.extranonce1...), s.extranonce2...), s.version, s.time)
}

// header returns the header for an extranonce, with nonce 0.
func (j *Job) header(extranonce []byte, version, time uint32) (h [80]byte) {
	coinbase := append(append([]byte(nil), j.Coinbase1...), extranonce...)
	root := doubleHash(append(coinbase, j.Coinbase2...))
	for _, branch := range j.Branches {
		root = doubleHash(append(root[:], branch[:]...))
	}
	binary.LittleEndian.PutUint32(h[0:], version)
	copy(h[4:], j.PrevHash[:])
	copy(h[36:], root[:])
	binary.LittleEndian.PutUint32(h[68:], time)
	binary.LittleEndian.PutUint32(h[72:], j.Bits)
	return h
}

// Difficulty returns the difficulty that a solution of the job achieves; the
// extranonce, both parts of it, is in hex.
func (j *Job) Difficulty(extranonce string, version, time, nonce uint32) (float64, error) {
	raw, err := hex.DecodeString(extranonce)
	if err != nil {
		return 0, fmt.Errorf("extranonce: %w", err)
	}
	h := j.header(raw, version, time)
	binary.LittleEndian.PutUint32(h[76:], nonce)
	return hashDifficulty(doubleHash(h[:])), nil
}

// share writes the present nonce down as the firmware does.
func (s *search) share() share {
	p := s.profile
	found := share{
		job:    s.job.ID,
		worker: s.worker,
		en2:    hex.EncodeToString(s.extranonce2),
		time:   fmt.Sprintf("%08x", s.time),
		nonce:  fmt.Sprintf("%08x", s.nonce),
	}
	if p.ShortNonce {
		found.nonce = strconv.FormatUint(uint64(s.nonce), 16)
	}
	if p.Spaces {
		found.en2 = fmt.Sprintf("%*x", 2*s.size, binary.BigEndian.Uint64(s.extranonce2))
	}
	switch p.Rolling {
	case RollOr:
		found.version = fmt.Sprintf("%08x", s.version&s.mask)
	case RollXor:
		found.version = fmt.Sprintf("%08x", s.version^s.job.Version)
	case RollFull:
		found.version = fmt.Sprintf("%08x", s.version)
	case NoRolling:
	}
	return found
}

func doubleHash(b []byte) [32]byte {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}

// hashDifficulty returns the difficulty that a hash meets, in doubles.
func hashDifficulty(h [32]byte) float64 {
	var value float64
	for i := len(h) - 8; i >= 0; i -= 8 {
		value = value*(1<<64) + float64(binary.LittleEndian.Uint64(h[i:]))
	}
	return diffOne / value
}
