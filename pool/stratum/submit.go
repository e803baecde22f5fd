package stratum

import (
	"bytes"
	"encoding/hex"
	"encoding/json"

	"github.com/dmpool/dmpool/pool/work"
)

// submission is a mining.submit as it stands on the line, not yet understood.
// The fields alias the line. An absent or null version is empty.
type submission struct {
	id                                           json.RawMessage
	user, job, extranonce2, time, nonce, version []byte
}

// parseSubmit reads a mining.submit line of the shape that all firmware sends:
// the members id, method and params, each once, with plain strings in params.
// It is this strict so that it can be simple and allocate nothing. For any
// other line ok is false and the general parser decides.
func parseSubmit(line []byte) (s submission, ok bool) {
	c := cursor{rest: line}
	var method []byte
	var params int
	if !c.take('{') {
		return s, false
	}
	for {
		key, isString := c.plainString()
		if !isString || !c.take(':') {
			return s, false
		}
		switch string(key) {
		case "id":
			if s.id != nil {
				return s, false
			}
			s.id, ok = c.scalar()
		case "method":
			if method != nil {
				return s, false
			}
			method, ok = c.plainString()
		case "params":
			if params != 0 {
				return s, false
			}
			params, ok = c.submitParams(&s)
		default:
			return s, false
		}
		if !ok {
			return s, false
		}
		if c.take(',') {
			continue
		}
		complete := c.take('}') && c.end()
		return s, complete && string(method) == "mining.submit" && params >= 5
	}
}

// submission takes a mining.submit from a message of the general parser. With
// an error it has at least the id.
func (m Message) submission() (submission, error) {
	list := m.params()
	var fields [5][]byte
	for i := range fields {
		text, ok := stringAt(list, i)
		if !ok {
			return submission{id: m.ID}, errMalformed
		}
		fields[i] = []byte(text)
	}
	var version string
	if len(list) > 5 && !isNull(list[5]) {
		var ok bool
		if version, ok = stringAt(list, 5); !ok {
			return submission{id: m.ID}, errMalformed
		}
	}
	return submission{m.ID, fields[0], fields[1], fields[2], fields[3], fields[4], []byte(version)}, nil
}

// jobID returns the job's number. Ids are compared as strings: only the exact
// form that was sent counts.
func (s submission) jobID() (uint32, bool) {
	id, ok := hex32(s.job)
	return id, ok && len(s.job) == 8 && !bytes.ContainsAny(s.job, "ABCDEF")
}

// solution understands the fields, except that Version holds the submitted
// version bits and the extranonce lacks its first part.
func (s submission) solution() (sol work.Solution, err error) {
	if sol.Extranonce, err = extranonce2(s.extranonce2); err != nil {
		return sol, err
	}
	var ok bool
	if sol.Time, ok = hex32(s.time); !ok {
		return sol, errTime
	}
	if sol.Nonce, ok = hex32(s.nonce); !ok {
		return sol, errNonce
	}
	if len(s.version) > 0 {
		if sol.Version, ok = hex32(s.version); !ok {
			return sol, errVersionBits
		}
	}
	return sol, nil
}

// extranonce2 decodes exactly 16 hex digits to the end of an extranonce. A
// space counts as 0: that is how a NerdMiner which pads with spaces hashes it.
func extranonce2(text []byte) (e [work.ExtranonceSize]byte, err error) {
	var digits [2 * work.Extranonce2Size]byte
	if len(text) != len(digits) {
		return e, errExtranonce2
	}
	for i, c := range text {
		if c == ' ' {
			c = '0'
		}
		digits[i] = c
	}
	if _, err := hex.Decode(e[work.Extranonce1Size:], digits[:]); err != nil {
		return e, errExtranonce2
	}
	return e, nil
}

// rolledVersion returns the header version for version bits from a miner. A
// miner sends either the rolled bits alone, as BIP310 says, or the complete
// version.
func rolledVersion(version, bits, mask uint32) (uint32, bool) {
	if outside := bits &^ mask; outside != 0 && outside != version&^mask {
		return 0, false
	}
	return version&^mask | bits&mask, true
}

// hex32 reads 1 to 8 hex digits as a big-endian number: some devices leave out
// leading zeros.
func hex32(text []byte) (v uint32, ok bool) {
	if len(text) < 1 || len(text) > 8 {
		return 0, false
	}
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(c)
	}
	return v, true
}

// cursor reads the subset of JSON that parseSubmit understands.
type cursor struct{ rest []byte }

func (c *cursor) space() {
	for len(c.rest) > 0 && (c.rest[0] == ' ' || c.rest[0] == '\t' || c.rest[0] == '\r' || c.rest[0] == '\n') {
		c.rest = c.rest[1:]
	}
}

func (c *cursor) take(b byte) bool {
	c.space()
	if len(c.rest) == 0 || c.rest[0] != b {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

func (c *cursor) end() bool {
	c.space()
	return len(c.rest) == 0
}

// plainString reads a string of printable ASCII without escapes. It is never
// nil when ok.
func (c *cursor) plainString() (text []byte, ok bool) {
	if !c.take('"') {
		return nil, false
	}
	for i, b := range c.rest {
		if b == '"' {
			text, c.rest = c.rest[:i:i], c.rest[i+1:]
			return text, true
		}
		if b < ' ' || b > '~' || b == '\\' {
			return nil, false
		}
	}
	return nil, false
}

// scalar reads null, a plain string or a whole number, and returns its bytes.
func (c *cursor) scalar() (raw json.RawMessage, ok bool) {
	c.space()
	from := c.rest
	switch {
	case c.null():
	case len(from) > 0 && from[0] == '"':
		if _, ok := c.plainString(); !ok {
			return nil, false
		}
	default:
		digits := 0
		for digits < len(c.rest) && '0' <= c.rest[digits] && c.rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits > 1 && c.rest[0] == '0' {
			return nil, false
		}
		c.rest = c.rest[digits:]
	}
	return json.RawMessage(from[:len(from)-len(c.rest)]), true
}

func (c *cursor) null() bool {
	c.space()
	rest, found := bytes.CutPrefix(c.rest, []byte("null"))
	if found {
		c.rest = rest
	}
	return found
}

// submitParams reads the params array into s and returns the number of its
// elements. The sixth may be null; those behind it are ignored.
func (c *cursor) submitParams(s *submission) (n int, ok bool) {
	if !c.take('[') {
		return 0, false
	}
	fields := [...]*[]byte{&s.user, &s.job, &s.extranonce2, &s.time, &s.nonce, &s.version}
	for {
		if n != 5 || !c.null() {
			text, ok := c.plainString()
			if !ok {
				return 0, false
			}
			if n < len(fields) {
				*fields[n] = text
			}
		}
		n++
		if c.take(',') {
			continue
		}
		return n, c.take(']')
	}
}
