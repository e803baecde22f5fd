package devicetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/dmpool/dmpool/appliance/device"
)

// AxeOS simulates a Bitaxe, or a miner with firmware made from its own.
type AxeOS struct {
	IP netip.Addr

	mu       sync.Mutex
	info     map[string]any
	password string // of the pool: nobody is told
	mining   device.Pool
	restarts int
	deaf     bool
	dead     bool
	asked    func()
}

// Bitaxe adds one with Bitaxe's own firmware, which mines elsewhere.
func (h *Home) Bitaxe() *AxeOS {
	return h.axeOS(map[string]any{
		"ASICModel": "BM1370", "boardVersion": "601", "version": "v2.9.0", "axeOSVersion": "v2.9.0", "hostname": "bitaxe",
		"macAddr": "AA:BB:CC:00:00:01", "hashRate": 1204.5, "hashRate_10m": 1187.25, "temp": 61.5, "temp2": -1, "vrTemp": 55, "power": 17.9,
		"stratumURL": "public-pool.io", "stratumPort": 21496, "stratumUser": "bc1qold.bitaxe", "stratumTLS": 2, "stratumProtocol": "SV2",
		"fallbackStratumURL": "solo.ckpool.org", "fallbackStratumPort": 3333, "fallbackStratumUser": "bc1qold.fallback", "isUsingFallbackStratum": 0,
	})
}

// NerdQAxe adds one whose firmware has no board version, its own model name, and TLS
// as a yes or no.
func (h *Home) NerdQAxe() *AxeOS {
	return h.axeOS(map[string]any{
		"asicCount": 4, "deviceModel": "NerdQAxe++", "ASICModel": "BM1370", "version": "v1.0.34", "hostname": "nerdqaxe", "hostip": "127.0.0.1",
		"macAddr": "AA:BB:CC:00:00:02", "hashRate": 4890.1, "hashRate_10m": 4801.0, "temp": 58.2, "power": 76.4, "otp": false,
		"stratum":    map[string]any{"poolMode": 0, "pools": []any{}},
		"stratumURL": "eu.braiins.com", "stratumPort": 3333, "stratumUser": "me.nerd", "stratumTLS": false,
		"fallbackStratumURL": "", "fallbackStratumPort": 3333, "fallbackStratumUser": "", "fallbackStratumTLS": false,
	})
}

func (h *Home) axeOS(info map[string]any) *AxeOS {
	a := &AxeOS{info: info, password: "secret of the old pool"}
	a.mining = a.told()
	a.IP = h.Serve("http", a.answer)
	return a
}

// Put changes a field.
func (a *AxeOS) Put(name string, value any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.info[name] = value
}

// Asked has a function called before it makes a change.
func (a *AxeOS) Asked(f func()) { a.mu.Lock(); a.asked = f; a.mu.Unlock() }

// Deafen has it say yes to changes and make none.
func (a *AxeOS) Deafen() { a.mu.Lock(); a.deaf = true; a.mu.Unlock() }

// Unplug takes it out of the network, or puts it back.
func (a *AxeOS) Unplug(out bool) { a.mu.Lock(); a.dead = out; a.mu.Unlock() }

// Mining is whom it mines for since its last restart, and how often it has restarted.
func (a *AxeOS) Mining() (device.Pool, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mining, a.restarts
}

// Fields are what it is told now, with the password that no API tells.
func (a *AxeOS) Fields() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := maps.Clone(a.info)
	all["stratumPassword"] = a.password
	return all
}

func (a *AxeOS) told() device.Pool {
	return device.Pool{URL: fmt.Sprintf("stratum+tcp://%v:%v", a.info["stratumURL"], a.info["stratumPort"]), User: fmt.Sprint(a.info["stratumUser"])}
}

// answer handles one connection.
func (a *AxeOS) answer(conn net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead {
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, _ := io.ReadAll(req.Body)
	code, text := a.do(req.Method+" "+req.URL.Path, body)
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", code, http.StatusText(code), len(text), text)
}

func (a *AxeOS) do(what string, body []byte) (code int, text string) {
	switch what {
	case "GET /api/system/info":
		raw, _ := json.Marshal(a.info)
		return http.StatusOK, string(raw)
	case "PATCH /api/system":
		return a.patch(body), ""
	case "POST /api/system/restart":
		a.restarts++
		a.mining = a.told()
		return http.StatusOK, `{"message":"System will restart shortly."}`
	}
	return http.StatusNotFound, "<html>Nothing here</html>"
}

// patch changes all that is named, or nothing when a value has the wrong type.
func (a *AxeOS) patch(body []byte) int {
	var change map[string]any
	if json.Unmarshal(body, &change) != nil {
		return http.StatusBadRequest
	}
	if a.asked != nil {
		a.asked()
	}
	if a.info["otp"] == true {
		return http.StatusUnauthorized
	}
	for name, value := range change {
		old, known := a.info[name]
		_, text := value.(string)
		_, wasText := old.(string)
		if known && text != wasText {
			return http.StatusBadRequest
		}
	}
	if a.deaf {
		return http.StatusOK
	}
	for name, value := range change {
		if name == "stratumPassword" {
			a.password = fmt.Sprint(value)
		} else if _, known := a.info[name]; known {
			a.info[name] = value
		}
	}
	return http.StatusOK
}
