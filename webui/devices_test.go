package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestDevicesPage(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	page := w.get("/devices").body
	checkPage(t, page)
	for _, want := range []string{
		"96 of 253 addresses asked", `<progress class="wide-bar" max="253" value="96"`, "Your network is larger (10.0.0.0/8)",
		`value="127.0.0.0/24" checked`, // the one in which the visitor is
		`href="/devices/3"`, "Antminer S19j Pro", "15.9<span", "does not answer", "Add all of them",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, `href="javascript`) {
		t.Error("a miner wrote into the page")
	}
}

func TestSearchAndAdd(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	post := func(path string, form url.Values) answer {
		t.Helper()
		form.Set("token", w.token())
		return w.do(http.MethodPost, path, form)
	}
	if resp := post("/devices/scan", url.Values{"network": {"10.1.0.0/22"}}); resp.StatusCode != http.StatusSeeOther || !slices.Equal(w.box.searched, []string{"10.1.0.0/22"}) {
		t.Errorf("search: status %d, %q", resp.StatusCode, w.box.searched)
	}
	if resp := post("/devices/scan", url.Values{}); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, "Choose one of the networks") {
		t.Errorf("search nowhere: status %d", resp.StatusCode)
	}
	if resp := post("/devices", url.Values{"ip": {" 192.168.1.80 "}}); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/devices/3" {
		t.Errorf("add one: status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp := post("/devices", url.Values{"ip": {"192.168.1.80", "192.168.1.81"}}); resp.Header.Get("Location") != "/devices?done=add" || len(w.box.taken) != 3 {
		t.Errorf("add two: to %q, took %q", resp.Header.Get("Location"), w.box.taken)
	}
	resp := post("/devices", url.Values{"ip": {"8.8.8.8"}})
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(resp.body, `value="8.8.8.8"`) || !strings.Contains(resp.body, "an address such as 192.168.1.7") {
		t.Errorf("add a stranger: status %d", resp.StatusCode)
	}
	checkPage(t, resp.body)
	if resp := post("/devices", url.Values{}); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("add nobody: status %d", resp.StatusCode)
	}
	if resp := post("/devices/3/forget", url.Values{}); resp.StatusCode != http.StatusSeeOther || !slices.Equal(w.box.let, []int64{3}) {
		t.Errorf("forget: status %d, %v", resp.StatusCode, w.box.let)
	}
	for _, path := range []string{"/devices/4/forget", "/devices/x/set", "/devices/4/restore"} {
		if resp := post(path, url.Values{"password": {password}}); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
}

// Where a miner mines is changed only with the password, and the page tells how far it
// came.
func TestChangeDevice(t *testing.T) {
	for name, tc := range map[string]struct {
		path   string
		form   url.Values
		said   deviceDone
		status int
		says   string // or where it leads
		told   deviceOrder
	}{
		"set": {
			"/devices/3/set",
			url.Values{"address": {" " + aliceAddress}, "worker": {"kitchen"}, "password": {password}},
			deviceDone{Seen: true, Restarting: true, Restarts: true},
			http.StatusSeeOther, "/devices/3?done=set-restarts",
			deviceOrder{ID: 3, Action: deviceSet, Address: aliceAddress, Worker: "kitchen"},
		},
		"set, and no word of its restart": {
			"/devices/3/set",
			url.Values{"address": {aliceAddress}, "worker": {"kitchen"}, "password": {password}},
			deviceDone{Seen: true, Restarts: true},
			http.StatusSeeOther, "/devices/3?done=set-silent",
			deviceOrder{ID: 3, Action: deviceSet, Address: aliceAddress, Worker: "kitchen"},
		},
		"restore": {
			"/devices/3/restore",
			url.Values{"user": {"admin"}, "device_password": {"web"}, "pool_password": {"x"}, "password": {password}},
			deviceDone{Seen: true},
			http.StatusSeeOther, "/devices/3?done=restore",
			deviceOrder{ID: 3, Action: deviceRestore, User: "admin", Password: "web", Pool: "x"},
		},
		"a wrong password": {
			"/devices/3/set",
			url.Values{"address": {aliceAddress}, "worker": {"kitchen"}, "password": {"guess"}, "device_password": {"secret of the miner"}},
			deviceDone{},
			http.StatusUnprocessableEntity, `href="#set-proof"`,
			deviceOrder{},
		},
		"no password": {
			"/devices/3/restore", url.Values{}, deviceDone{}, http.StatusUnprocessableEntity, `href="#restore-proof"`, deviceOrder{},
		},
		"half-done": {
			"/devices/3/set",
			url.Values{"address": {aliceAddress}, "worker": {"taken"}, "password": {password}, "device_password": {"secret of the miner"}},
			deviceDone{},
			http.StatusUnprocessableEntity, "does not say what it was told",
			deviceOrder{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			w.box.said = tc.said
			tc.form.Set("token", w.token())
			resp := w.do(http.MethodPost, tc.path, tc.form)
			if resp.StatusCode != tc.status || !strings.Contains(resp.body+resp.Header.Get("Location"), tc.says) {
				t.Fatalf("status %d, want %d; leads to %q; %s", resp.StatusCode, tc.status, resp.Header.Get("Location"), resp.body)
			}
			for _, secret := range []string{"guess", "secret of the miner", password} {
				if strings.Contains(resp.body+resp.Header.Get("Location"), secret) {
					t.Errorf("the answer contains %q", secret)
				}
			}
			var told deviceOrder
			if len(w.box.told) == 1 {
				told = w.box.told[0]
				told.Operator, told.IP = operator{}, ""
			}
			if told != tc.told {
				t.Errorf("told %+v, want %+v", told, tc.told)
			}
			if tc.status == http.StatusSeeOther {
				next := w.get(resp.Header.Get("Location")).body
				if checkPage(t, next); !strings.Contains(next, `class="note ok" role="status"`) {
					t.Error("the page does not say how far it came")
				}
				return
			}
			checkPage(t, resp.body)
		})
	}
}

// What can be done with a miner follows from its firmware, and the fields to type are
// always there.
func TestDevicePage(t *testing.T) {
	set, back := "/devices/3/set", "/devices/3/restore"
	for name, tc := range map[string]struct {
		change func(*deviceView)
		has    []string
		hasNot []string
	}{
		"mines here":      {func(*deviceView) {}, []string{set, back, "and it is connected", "old.example"}, []string{`name="device_password"`, "forgets this when it restarts"}},
		"never changed":   {func(v *deviceView) { v.Kept, v.Going = false, "" }, []string{set, "is written down first"}, []string{back, "old pool is forgotten"}},
		"told, not heard": {func(v *deviceView) { v.Obeys = false }, []string{"has not said since that it does"}, []string{"and it is connected"}},
		"on its way back": {func(v *deviceView) { v.Going = "back" }, []string{"its old setting is still kept", back}, nil},
		"avalon":          {func(v *deviceView) { v.Way, v.API = "password", "avalon" }, []string{`id="set-word"`, `id="restore-word"`, `name="pool_password"`}, nil},
		"cgminer":         {func(v *deviceView) { v.API, v.Lasting = "cgminer", false }, []string{"forgets this when it restarts"}, nil},
		"antminer":        {func(v *deviceView) { v.Way, v.Obstacle, v.API = "hand", "read-only", "antminer" }, []string{"API only tells", "tcp://192.168.1.50:3333", aliceAddress + ".bitaxe1"}, []string{set, back}},
		"whatsminer":      {func(v *deviceView) { v.Way, v.Obstacle = "hand", "token" }, []string{"only with a token"}, []string{set}},
		"locked":          {func(v *deviceView) { v.Way, v.Obstacle = "hand", "locked" }, []string{"one-time code"}, []string{set}},
		"not to be kept":  {func(v *deviceView) { v.Way, v.Obstacle = "hand", "unkept" }, []string{"could not be put back exactly"}, []string{set}},
		"silent":          {func(v *deviceView) { v.Way, v.State = "", "unasked" }, []string{"has not answered since this box started"}, []string{set}},
		"somebody else":   {func(v *deviceView) { v.State = "other" }, []string{"Another miner answers at this address now"}, nil},
		"no address yet":  {func(v *deviceView) { v.Payout = "" }, []string{"your payout address, a dot, and bitaxe1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			tc.change(&w.box.device)
			page := w.get("/devices/3").body
			checkPage(t, page)
			for _, want := range tc.has {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
			for _, not := range append(tc.hasNot, "<script>") {
				if strings.Contains(page, not) {
					t.Errorf("the page says %q", not)
				}
			}
		})
	}
}

// The worker's page tells what its miners use, and nothing that is not known.
func TestWorkerPower(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	page := w.get(workerPath(aliceAddress, "bitaxe1")).body
	for _, want := range []string{`1,187<span class="unit"> sats</span>`, "15,200", `12.8<span class="unit"> kWh`, `15.9<span class="unit"> J/TH`, `76.4<span class="unit"> W`, `href="/devices/3"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for why, says := range map[string]string{"unmeasured": "has told its power yet", "short": "less than a day", "others": "Something else mines", "gaps": "nothing was measured"} {
		w.box.power.PerKWh, w.box.power.Why, w.box.power.Watts = nil, why, nil
		page := w.get(workerPath(aliceAddress, "bitaxe1")).body
		if checkPage(t, page); !strings.Contains(page, says) || strings.Contains(page, "1,187") {
			t.Errorf("%s: the page does not say %q", why, says)
		}
	}
	w.box.power = powerView{}
	if page := w.get(workerPath(aliceAddress, "bitaxe1")).body; !strings.Contains(page, "No miner of this worker was added") {
		t.Error("the page does not lead to the search")
	}
}

func TestDevicesAPI(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	list := decode(t, w.get("/api/v1/devices").body)
	items, _ := list["items"].([]any)
	if len(items) != 3 || list["total"] != 3.0 {
		t.Fatalf("devices %v", list)
	}
	here, away := items[0].(map[string]any), items[1].(map[string]any)
	if here["power_w"] != 76.4 || here["worker"].(map[string]any)["name"] != "bitaxe1" || away["worker"] != nil || away["power_w"] != nil {
		t.Errorf("devices %v", items)
	}
}
