package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// axeosInfo is what is wanted of GET /api/system/info. Firmware adds and drops fields;
// those that decide whether this is AxeOS are pointers.
type axeosInfo struct {
	StratumURL  *string  `json:"stratumURL"`
	StratumPort *float64 `json:"stratumPort"`
	StratumUser *string  `json:"stratumUser"`

	FallbackURL  string  `json:"fallbackStratumURL"`
	FallbackPort float64 `json:"fallbackStratumPort"`
	FallbackUser string  `json:"fallbackStratumUser"`

	DeviceModel string `json:"deviceModel"` // not Bitaxe's own firmware
	ASICModel   string `json:"ASICModel"`
	Version     string `json:"version"`
	Hostname    string `json:"hostname"`
	MAC         string `json:"macAddr"`
	OTP         bool   `json:"otp"` // NerdQAxe: changes want a one-time code

	Hashrate   *float64 `json:"hashRate"` // GH/s
	Hashrate10 *float64 `json:"hashRate_10m"`
	Celsius    *float64 `json:"temp"`
	Celsius2   *float64 `json:"temp2"` // boards with two chips
	Watts      *float64 `json:"power"`
}

// exactly are the fields of a setting that are written back as they came. A firmware
// that does not tell one of them does not have it.
func exactly() []string {
	return []string{"stratumURL", "stratumPort", "stratumUser", "stratumTLS", "stratumProtocol"}
}

var errNoAxeOS = errors.New("answer is not AxeOS's")

func (l *LAN) readAxeOS(ctx context.Context, ip netip.Addr) (Device, error) {
	body, err := l.ask(ctx, http.MethodGet, ip, "/api/system/info", nil)
	if err != nil {
		return Device{}, err
	}
	d, err := parseAxeOS(body)
	d.IP = ip
	return d, err
}

// parseAxeOS reads an answer of AxeOS.
func parseAxeOS(body []byte) (Device, error) {
	var v axeosInfo
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return Device{}, fmt.Errorf("%w: %w", errNoAxeOS, err)
	}
	if err := json.Unmarshal(body, &v); err != nil && !wrongType(err) {
		return Device{}, fmt.Errorf("%w: %w", errNoAxeOS, err)
	}
	if v.StratumURL == nil || v.StratumPort == nil || v.StratumUser == nil || v.ASICModel == "" && v.Version == "" {
		return Device{}, errNoAxeOS
	}
	d := Device{
		API: AxeOS, Model: clean(v.DeviceModel), Firmware: clean(v.Version), Name: clean(v.Hostname), Serial: strings.ToLower(clean(v.MAC)),
		Figures: figures(times(either(v.Hashrate10, v.Hashrate), 1e9), largest(v.Celsius, v.Celsius2), v.Watts),
		Way:     ByClick,
	}
	if d.Model == "" {
		d.Model = clean("AxeOS " + v.ASICModel)
	}
	d.Setting.Exact = map[string]json.RawMessage{}
	for _, name := range exactly() {
		if raw, ok := all[name]; ok {
			d.Setting.Exact[name] = raw
		}
	}
	d.Setting.Pool = Pool{axeosURL(*v.StratumURL, *v.StratumPort, d.Setting.Exact), *v.StratumUser}
	d.Setting.List = []Pool{d.Setting.Pool}
	if v.FallbackURL != "" {
		d.Setting.List = append(d.Setting.List, Pool{axeosURL(v.FallbackURL, v.FallbackPort, nil), v.FallbackUser})
	}
	switch {
	case v.OTP:
		d.Way, d.Obstacle = ByHand, Locked
	case !d.Setting.keepable() || len(d.Setting.Exact) < 3: // written in other letters
		d.Way, d.Obstacle = ByHand, Unkept
	}
	return d, nil
}

// either is a, or b if there is no a.
func either(a, b *float64) *float64 {
	if a != nil {
		return a
	}
	return b
}

// wrongType reports whether only the type of a field was not as expected: the others
// were read.
func wrongType(err error) bool {
	var wrong *json.UnmarshalTypeError
	return errors.As(err, &wrong)
}

// axeosURL writes host and port, which AxeOS keeps apart, as the URL that they are.
func axeosURL(host string, port float64, exact map[string]json.RawMessage) string {
	scheme := "stratum+tcp://"
	if !unset(exact["stratumTLS"]) {
		scheme = "stratum+ssl://"
	}
	if string(exact["stratumProtocol"]) == `"SV2"` {
		scheme = "stratum2+tcp://"
	}
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	if !(port >= 0 && port <= 65535) {
		port = 0
	}
	return scheme + net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// unset reports whether a switch is off: false, 0, or not there.
func unset(raw json.RawMessage) bool {
	text := string(raw)
	return text == "" || text == "false" || text == "0" || text == "null"
}

// keepable reports whether the setting can be put back as it is.
func (s Setting) keepable() bool {
	for _, raw := range s.Exact {
		if len(raw) > 2*maxKept { // an escape takes more
			return false
		}
		var text string
		if json.Unmarshal(raw, &text) == nil && !keepable(text) {
			return false
		}
	}
	return keepable(s.Pool.URL) && keepable(s.Pool.User)
}

// axeosFields are what AxeOS is told to mine for a pool, over plain Stratum V1. The
// password is not among them: AxeOS would not tell the old one, and we need none.
func axeosFields(want Pool, now map[string]json.RawMessage) map[string]json.RawMessage {
	host, port, _ := want.Endpoint()
	fields := map[string]json.RawMessage{
		"stratumURL":  quoted(host),
		"stratumPort": json.RawMessage(strconv.Itoa(port)),
		"stratumUser": quoted(want.User),
	}
	if tls, ok := now["stratumTLS"]; ok && !unset(tls) {
		fields["stratumTLS"] = json.RawMessage("0")
		if string(tls) == "true" {
			fields["stratumTLS"] = json.RawMessage("false")
		}
	}
	if protocol, ok := now["stratumProtocol"]; ok && string(protocol) != `"SV1"` {
		fields["stratumProtocol"] = quoted("SV1")
	}
	return fields
}

func quoted(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil { // a string always is JSON
		panic(err)
	}
	return raw
}

// setAxeOS writes fields, reads them again, and restarts the device if they are there:
// a changed pool counts from then on.
func (l *LAN) setAxeOS(ctx context.Context, ip netip.Addr, fields map[string]json.RawMessage, want Pool) (Done, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return Done{}, fmt.Errorf("encode setting: %w", err)
	}
	if _, err := l.ask(ctx, http.MethodPatch, ip, "/api/system", body); err != nil {
		return l.lookAgain(ctx, ip, want, err)
	}
	done, err := l.lookAgain(ctx, ip, want, nil)
	if err != nil || !done.Seen {
		return done, err
	}
	if _, err := l.ask(ctx, http.MethodPost, ip, "/api/system/restart", nil); err == nil {
		done.Restarting = true
	}
	return done, nil
}

// lookAgain asks AxeOS what it is told now, after a change that ended with err.
func (l *LAN) lookAgain(ctx context.Context, ip netip.Addr, want Pool, err error) (done Done, _ error) {
	var no *statusError
	if errors.As(err, &no) {
		return done, refused(fmt.Sprintf("the miner refused the change (HTTP %d); nothing was changed", no.code))
	}
	now, look := l.readAxeOS(ctx, ip)
	if look != nil {
		return done, refuse("the miner was told, but it does not answer any more: look at it in a minute")
	}
	done.Now, done.Lasting = now.Setting.Pool, true
	done.Seen = now.Setting.Pool.Same(want)
	if err != nil && !done.Seen {
		return done, refuse("the miner did not answer to the change, and still says what it said before")
	}
	if !done.Seen {
		return done, refuse("the miner took the change, but does not say what it was told; it was not restarted")
	}
	return done, nil
}

// statusError is an answer that is no success.
type statusError struct{ code int }

func (e *statusError) Error() string { return "answered with HTTP " + strconv.Itoa(e.code) }

var errTooLong = errors.New("answer is longer than any miner's")

// ask sends a request to a device and returns the body of its success.
func (l *LAN) ask(ctx context.Context, method string, ip netip.Addr, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+at(ip, l.config.HTTPPort)+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", ip, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", ip, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, fmt.Errorf("ask %s: %w", ip, &statusError{resp.StatusCode})
	}
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", ip, err)
	}
	if len(reply) > maxReply {
		return nil, fmt.Errorf("ask %s: %w", ip, errTooLong)
	}
	return reply, nil
}
