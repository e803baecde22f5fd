package device

import (
	"bytes"
	"encoding/json"
)

// mend makes JSON of what Antminers and old cgminers send in its place: a NUL at the
// end, no comma between two objects, one too many before a bracket, bare control
// characters in texts, numbers that are none (nan, inf). What is JSON already comes
// back as it is; what is something else stays something else.
func mend(reply []byte) []byte {
	reply = bytes.Trim(reply, "\x00 \t\r\n")
	if json.Valid(reply) {
		return reply
	}
	m := mender{out: make([]byte, 0, len(reply)+16)}
	for i := 0; i < len(reply); {
		i = m.next(reply, i)
	}
	return m.out
}

// mender copies JSON and puts right what it comes across.
type mender struct {
	out  []byte
	last byte // of what is copied, blanks apart
}

// next copies what begins at i and returns where it ends.
func (m *mender) next(b []byte, i int) int {
	switch c := b[i]; {
	case c == '"':
		return m.text(b, i)
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		m.out = append(m.out, c)
	case c < ' ' || c == 0x7f:
	case c == '{' || c == '[':
		if m.last == '}' || m.last == ']' {
			m.out = append(m.out, ',')
		}
		m.put(c)
	case c == '}' || c == ']':
		if m.last == ',' {
			m.out = m.out[:bytes.LastIndexByte(m.out, ',')]
		}
		m.put(c)
	case letter(c) && (m.last < '0' || m.last > '9') && m.last != '.': // else it is an exponent
		return m.word(b, i)
	default:
		m.put(c)
	}
	return i + 1
}

func (m *mender) put(c byte) { m.out, m.last = append(m.out, c), c }

// text copies a string; what may not stand in one becomes a blank.
func (m *mender) text(b []byte, i int) int {
	m.put('"')
	for i++; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '\\' && i+1 < len(b) && b[i+1] >= ' ':
			m.out = append(m.out, c, b[i+1])
			i++
			continue
		case c < ' ':
			c = ' '
		}
		m.put(c)
		if c == '"' {
			return i + 1
		}
	}
	return i
}

// word copies a name without quotation marks if JSON knows it. Others are numbers that
// are none, with their sign.
func (m *mender) word(b []byte, i int) int {
	end := i
	for end < len(b) && letter(b[end]) {
		end++
	}
	word := string(b[i:end])
	if word != "true" && word != "false" && word != "null" {
		word = "null"
		if m.last == '-' || m.last == '+' {
			m.out = m.out[:len(m.out)-1]
		}
	}
	m.out, m.last = append(m.out, word...), 'l'
	return end
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
