package minersim

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// line is what the pool said, with the members that it had.
type line struct {
	members map[string]json.RawMessage
	method  string
}

// parseLine reads a line as strictly as the strictest firmware: printable
// ASCII, one object with exactly the members of its kind.
func parseLine(text string) (line, error) {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return line{}, fmt.Errorf("byte %#02x in a line", text[i])
		}
	}
	var l line
	if err := json.Unmarshal([]byte(text), &l.members); err != nil {
		return line{}, fmt.Errorf("not a JSON object: %w", err)
	}
	want := []string{"id", "result", "error"}
	if method, ok := l.members["method"]; ok {
		if err := json.Unmarshal(method, &l.method); err != nil || l.method == "" {
			return line{}, fmt.Errorf("method is %s", method)
		}
		want = []string{"id", "method", "params"}
	}
	for _, member := range want {
		if _, ok := l.members[member]; !ok {
			return line{}, fmt.Errorf("no member %q", member)
		}
	}
	if len(l.members) != len(want) {
		return line{}, fmt.Errorf("%d members instead of %d", len(l.members), len(want))
	}
	if l.method != "" && string(l.members["id"]) != "null" {
		return line{}, fmt.Errorf("a notification with id %s", l.members["id"])
	}
	return l, nil
}

// problem returns the text of the error member, empty when the answer is one
// of success. Firmware cuts texts after 28 characters.
func (l line) problem() (string, error) {
	raw, result := l.members["error"], l.members["result"]
	if string(raw) == "null" {
		if string(result) == "null" || string(result) == "false" {
			return "", fmt.Errorf("result %s without an error", result)
		}
		return "", nil
	}
	var triple []json.RawMessage
	var code int
	var text string
	err := json.Unmarshal(raw, &triple)
	if err == nil && len(triple) != 3 {
		err = fmt.Errorf("%d elements", len(triple))
	}
	if err == nil {
		err = errors.Join(json.Unmarshal(triple[0], &code), json.Unmarshal(triple[1], &text))
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("error %s is not [code, text, data]: %w", raw, err)
	case text == "" || len(text) > 28:
		return "", fmt.Errorf("error text %q of %d characters", text, len(text))
	case string(result) != "null" && string(result) != "false":
		return "", fmt.Errorf("result %s beside error %s", result, raw)
	}
	return text, nil
}

// parseDifficulty reads the params of mining.set_difficulty. Integer parsers
// stop at an exponent, and some take "1.0" for nothing.
func parseDifficulty(params json.RawMessage) (float64, error) {
	var list []json.Number
	if err := json.Unmarshal(params, &list); err != nil || len(list) != 1 {
		return 0, fmt.Errorf("set_difficulty %s", params)
	}
	text := string(list[0])
	d, err := strconv.ParseFloat(text, 64)
	if err != nil || !(d > 0) || strings.ContainsAny(text, "eE") || strings.HasSuffix(text, ".0") || strings.Contains(string(params), `"`) {
		return 0, fmt.Errorf("set_difficulty %s", params)
	}
	return d, nil
}

// parseSubscription reads [[subscriptions], extranonce1, size] and returns the
// id of the session with them.
func parseSubscription(result json.RawMessage) (sid string, extranonce1 []byte, size int, err error) {
	var list []json.RawMessage
	var subscriptions [][]string
	var text string
	if err = json.Unmarshal(result, &list); err == nil && len(list) != 3 {
		err = fmt.Errorf("%d elements", len(list))
	}
	if err == nil {
		err = errors.Join(json.Unmarshal(list[0], &subscriptions), json.Unmarshal(list[1], &text), json.Unmarshal(list[2], &size))
	}
	if err == nil {
		extranonce1, err = hex.DecodeString(text)
	}
	for _, s := range subscriptions {
		if len(s) == 2 && s[0] == "mining.notify" {
			sid = s[1]
		}
	}
	switch {
	case err != nil:
	case sid == "":
		err = errors.New("no mining.notify")
	case len(extranonce1) != 4:
		err = fmt.Errorf("extranonce1 of %d bytes", len(extranonce1))
	case size != 8: // the one size that every firmware takes
		err = fmt.Errorf("extranonce2 of %d bytes", size)
	}
	if err != nil {
		return "", nil, 0, fmt.Errorf("subscription %s: %w", result, err)
	}
	return sid, extranonce1, size, nil
}

// parseConfiguration returns the version bits that were granted. Everything
// that was asked for must have a value (BIP310).
func parseConfiguration(result json.RawMessage, asked []string) (mask uint32, err error) {
	var granted map[string]json.RawMessage
	if err := json.Unmarshal(result, &granted); err != nil {
		return 0, fmt.Errorf("configuration %s: %w", result, err)
	}
	for _, extension := range asked {
		if _, ok := granted[extension]; !ok {
			return 0, fmt.Errorf("configuration %s has no %q", result, extension)
		}
	}
	if string(granted["version-rolling"]) != "true" {
		return 0, nil
	}
	var text string
	if err := json.Unmarshal(granted["version-rolling.mask"], &text); err != nil {
		return 0, fmt.Errorf("configuration %s: %w", result, err)
	}
	return bigEndian(text)
}

// Job is a mining.notify as the simulated firmware reads it, with the bytes in
// the order in which they are hashed.
type Job struct {
	ID                   string
	PrevHash             [32]byte
	Coinbase1, Coinbase2 []byte
	Branches             [][32]byte
	Version, Bits, Time  uint32
	Clean                bool
}

// ParseJob reads the params of mining.notify; each field must have exactly the
// type and length that the strictest firmware expects.
func ParseJob(params json.RawMessage) (Job, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(params, &list); err != nil || len(list) != 9 {
		return Job{}, fmt.Errorf("notify with %d params", len(list))
	}
	var j Job
	var prev, coinbase1, coinbase2, version, bits, time string
	var branches []string
	for i, field := range []any{&j.ID, &prev, &coinbase1, &coinbase2, &branches, &version, &bits, &time, &j.Clean} {
		if bytes.Equal(list[i], []byte("null")) {
			return Job{}, fmt.Errorf("notify: param %d is null", i)
		}
		if err := json.Unmarshal(list[i], field); err != nil {
			return Job{}, fmt.Errorf("notify: param %d: %w", i, err)
		}
	}

	// Each group of four bytes of the previous block's hash is turned round.
	words, err := hash(prev)
	for i := range words {
		j.PrevHash[i] = words[i^3]
	}
	var errs [6]error
	j.Coinbase1, errs[0] = hex.DecodeString(coinbase1)
	j.Coinbase2, errs[1] = hex.DecodeString(coinbase2)
	j.Version, errs[2] = bigEndian(version)
	j.Bits, errs[3] = bigEndian(bits)
	j.Time, errs[4] = bigEndian(time)
	j.Branches = make([][32]byte, len(branches))
	for i := 0; i < len(branches) && errs[5] == nil; i++ {
		j.Branches[i], errs[5] = hash(branches[i])
	}
	if err := errors.Join(err, errors.Join(errs[:]...)); err != nil {
		return Job{}, fmt.Errorf("notify: %w", err)
	}
	if j.ID == "" {
		return Job{}, errors.New("notify: no job id")
	}
	return j, nil
}

func hash(text string) (h [32]byte, err error) {
	if len(text) != 2*len(h) {
		return h, fmt.Errorf("hash of %d digits", len(text))
	}
	_, err = hex.Decode(h[:], []byte(text))
	return h, err
}

// bigEndian reads exactly eight hex digits.
func bigEndian(text string) (uint32, error) {
	v, err := strconv.ParseUint(text, 16, 32)
	if err != nil || len(text) != 8 {
		return 0, fmt.Errorf("number %q is not eight hex digits", text)
	}
	return uint32(v), nil
}
