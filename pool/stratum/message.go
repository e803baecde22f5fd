package stratum

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Message is one line of the protocol, in either direction: a request or
// notification when Method is set, an answer otherwise. The raw fields keep
// the sender's bytes, because an id must be echoed exactly as it came.
type Message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// ParseMessage decodes a line. Unknown members are ignored, as devices add
// their own. The result does not alias line.
func ParseMessage(line []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(line, &m); err != nil {
		return Message{}, fmt.Errorf("parse line: %w", err)
	}
	return m, nil
}

// params returns the elements of the params array; anything else counts as an
// empty one.
func (m Message) params() []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(m.Params, &list) != nil {
		return nil
	}
	return list
}

// silent reports whether the sender expects no answer.
func (m Message) silent() bool { return isNull(m.ID) }

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// stringAt returns element i when it is a JSON string.
func stringAt(list []json.RawMessage, i int) (string, bool) {
	if i >= len(list) || len(list[i]) == 0 || list[i][0] != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(list[i], &s) != nil {
		return "", false
	}
	return s, true
}

// ErrorText returns the text of an answer's error member, whichever of the
// known shapes it has: [code, "text", …], "text" or {"message": "text"}. It is
// empty when there is no error, and the raw JSON when the shape is unknown.
func ErrorText(raw json.RawMessage) string {
	if isNull(raw) {
		return ""
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		if text, ok := stringAt(list, 1); ok && text != "" {
			return text
		}
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return text
	}
	var object struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &object) == nil && object.Message != "" {
		return object.Message
	}
	return string(raw)
}

// A fault is an error that the miner is told about. The texts never change and
// have at most 28 characters: firmware cuts longer ones and keeps statistics
// by text.
type fault struct {
	code int
	text string
}

func (f *fault) Error() string { return f.text }

var (
	errMalformed     error = &fault{20, "Malformed params"}
	errExtranonce2   error = &fault{20, "Invalid extranonce2"}
	errTime          error = &fault{20, "Invalid ntime"}
	errNonce         error = &fault{20, "Invalid nonce"}
	errTimeRange     error = &fault{20, "Ntime out of range"}
	errVersionBits   error = &fault{20, "Invalid version bits"}
	errRateLimited   error = &fault{20, "Rate limited"}
	errNotSupported  error = &fault{20, "Not supported"}
	errUnavailable   error = &fault{20, "Try again later"}
	errJobNotFound   error = &fault{21, "Job not found"}
	errStale         error = &fault{21, "Stale share"}
	errDuplicate     error = &fault{22, "Duplicate share"}
	errLowDifficulty error = &fault{23, "Low difficulty share"}
	errUnauthorized  error = &fault{24, "Unauthorized worker"}
	errTooManyNames  error = &fault{24, "Too many workers"}
	errOneAddress    error = &fault{24, "One address per connection"}
	errBannedAddress error = &fault{24, "Address is banned here"}
	errBannedWorker  error = &fault{24, "Worker is banned here"}
	errBannedNetwork error = &fault{24, "Network is banned here"}
	errNotSubscribed error = &fault{25, "Not subscribed"}
	errNoMethod      error = &fault{-3, "Method not found"}
	errParse         error = &fault{-32700, "Parse error"}
)

// appendResult appends an answer of success. All three keys are always there:
// old firmware takes a missing error for a rejection.
func appendResult(dst []byte, id json.RawMessage, result string) []byte {
	dst = appendID(dst, id)
	dst = append(dst, `,"result":`...)
	dst = append(dst, result...)
	return append(dst, ",\"error\":null}\n"...)
}

// appendFault appends an answer of failure, always with the error as a triple,
// the one shape that every firmware reads.
func appendFault(dst []byte, id json.RawMessage, f *fault) []byte {
	dst = appendID(dst, id)
	dst = append(dst, `,"result":null,"error":[`...)
	dst = strconv.AppendInt(dst, int64(f.code), 10)
	dst = append(dst, ',')
	dst = append(dst, quote(f.text)...)
	return append(dst, ",null]}\n"...)
}

func appendID(dst []byte, id json.RawMessage) []byte {
	dst = append(dst, `{"id":`...)
	if len(id) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, id...)
}

// quote returns s as a JSON string.
func quote(s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot happen: every string has a JSON form
	}
	return quoted
}

// appendDifficulty appends a mining.set_difficulty line. The number has
// neither an exponent nor a trailing ".0": integer parsers read it, too.
func appendDifficulty(dst []byte, d float64) []byte {
	dst = append(dst, `{"id":null,"method":"mining.set_difficulty","params":[`...)
	dst = strconv.AppendFloat(dst, d, 'f', -1, 64)
	return append(dst, "]}\n"...)
}
