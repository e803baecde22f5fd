// Package jsoncut takes one large value out of a JSON object without decoding
// it. encoding/json reads every byte of a block template four times before its
// reader sees the first field: the answer and the result in it are each checked
// for form, then walked. With the large value cut out, encoding/json decodes
// what is left, and the value goes to a reader that knows its form.
package jsoncut

import "bytes"

// Cut finds the value of a key of an object, key in lower case letters. It returns
// the value, a part of object, and a copy of object with null in its place.
//
// Cut judges no grammar beyond what it needs to find the way. Its promise is: if
// object is JSON, the value is the one that encoding/json would decode; and if
// value and rest are JSON, so is object. So the caller loses nothing as long as
// something reads both.
//
// It fails for anything that bitcoind does not write, though it may be JSON: white
// space around the keys, a key with an escape, and one that differs only in case
// or occurs twice. Then the caller decodes the whole object.
func Cut(object []byte, key string) (value, rest []byte, ok bool) {
	c := cutter{in: object}
	if !c.take('{') {
		return nil, nil, false
	}
	from, to := 0, 0
	for {
		start := c.at
		if !c.text() || bytes.IndexByte(object[start:c.at], '\\') >= 0 {
			return nil, nil, false
		}
		name := object[start+1 : c.at-1]
		if !c.take(':') {
			return nil, nil, false
		}
		start = c.at
		if !c.value() || c.at == start {
			return nil, nil, false
		}
		if bytes.EqualFold(name, []byte(key)) {
			if to > 0 || string(name) != key {
				return nil, nil, false
			}
			from, to = start, c.at
		}
		if !c.take(',') {
			break
		}
	}
	if !c.take('}') || to == 0 {
		return nil, nil, false
	}
	return object[from:to], bytes.Join([][]byte{object[:from], []byte("null"), object[to:]}, nil), true
}

// cutter walks over JSON.
type cutter struct {
	in []byte
	at int
}

// take steps over a byte that must come next.
func (c *cutter) take(b byte) bool {
	if c.at == len(c.in) || c.in[c.at] != b {
		return false
	}
	c.at++
	return true
}

// value steps to the end of a value: the comma or bracket that is not inside it.
func (c *cutter) value() bool {
	for depth := 0; c.at < len(c.in); {
		switch c.in[c.at] {
		case '"':
			if !c.text() {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return true
			}
			depth--
		case ',':
			if depth == 0 {
				return true
			}
		}
		c.at++
	}
	return false
}

// text steps over a string.
func (c *cutter) text() bool {
	if !c.take('"') {
		return false
	}
	end := bytes.IndexByte(c.in[c.at:], '"')
	if end < 0 {
		return false
	}
	if bytes.IndexByte(c.in[c.at:c.at+end], '\\') < 0 {
		c.at += end + 1
		return true
	}
	for ; c.at < len(c.in); c.at++ {
		switch c.in[c.at] {
		case '\\':
			c.at++ // what follows is part of the escape
		case '"':
			c.at++
			return true
		}
	}
	c.at = len(c.in)
	return false
}
