package work

import "bytes"

// txJSON is one transaction of getblocktemplate's result. Whatever the node says
// about it is compared with what the transaction itself says.
type txJSON struct {
	Data text  `json:"data"`
	TxID text  `json:"txid"`
	Hash text  `json:"hash"`
	Fee  int64 `json:"fee"`
}

// text is a string that need not be copied when it stands in its source as it is.
type text []byte

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *text) UnmarshalText(b []byte) error {
	*t = bytes.Clone(b)
	return nil
}

// scanTxs reads the transactions as bitcoind writes them: no white space, no
// escapes, no key that it does not know, no number but small whole ones. They are
// nine tenths of a template, and encoding/json takes longer over them than all
// the rest of the way to a job. What scanTxs accepts, encoding/json accepts with
// the same result, but for characters that no string may hold, which no
// hexadecimal string does; what it refuses may nevertheless be right, and
// encoding/json decides. The texts are parts of array.
func scanTxs(array []byte) (txs []txJSON, ok bool) {
	s := scanner{in: array}
	s.take('[')
	for !s.bad && s.next() != ']' {
		if len(txs) > 0 {
			s.take(',')
		}
		txs = append(txs, s.tx())
	}
	s.take(']')
	return txs, !s.bad && s.at == len(s.in)
}

// scanner reads what it expects, and remembers when something else came.
type scanner struct {
	in  []byte
	at  int
	bad bool
}

// next returns the byte that comes next, 0 at the end.
func (s *scanner) next() byte {
	if s.at == len(s.in) {
		return 0
	}
	return s.in[s.at]
}

// take reads a byte that must come next.
func (s *scanner) take(b byte) {
	if s.bad || s.next() != b {
		s.bad = true
		return
	}
	s.at++
}

// tx reads an object that has at least one key.
func (s *scanner) tx() (tx txJSON) {
	s.take('{')
	for !s.bad {
		key := s.text()
		s.take(':')
		switch string(key) {
		case "data":
			tx.Data = s.text()
		case "txid":
			tx.TxID = s.text()
		case "hash":
			tx.Hash = s.text()
		case "fee":
			tx.Fee = s.number()
		case "sigops", "weight":
			s.number()
		case "depends":
			s.numbers()
		default:
			s.bad = true
		}
		if s.next() != ',' {
			break
		}
		s.at++
	}
	s.take('}')
	return tx
}

// text reads a string without escapes.
func (s *scanner) text() []byte {
	s.take('"')
	end := bytes.IndexByte(s.in[s.at:], '"')
	if s.bad || end < 0 {
		s.bad = true
		return nil
	}
	text := s.in[s.at : s.at+end]
	s.at += end + 1
	if bytes.IndexByte(text, '\\') >= 0 {
		s.bad = true
	}
	return text
}

// number reads a whole number of 1 to 18 digits.
func (s *scanner) number() (n int64) {
	from := s.at
	for s.next() >= '0' && s.next() <= '9' && s.at-from < 19 {
		n = 10*n + int64(s.in[s.at]-'0')
		s.at++
	}
	if digits := s.at - from; digits < 1 || digits > 18 || digits > 1 && s.in[from] == '0' {
		s.bad = true
	}
	return n
}

// numbers reads a list of them.
func (s *scanner) numbers() {
	s.take('[')
	for first := true; !s.bad && s.next() != ']'; first = false {
		if !first {
			s.take(',')
		}
		s.number()
	}
	s.take(']')
}
