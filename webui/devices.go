package webui

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// devices is what the pages need of the miners in the home network.
type devices interface {
	Devices(ctx context.Context) (devicesView, error)
	ScanDevices(ctx context.Context, prefix string, op operator, ip string) error
	AddDevice(ctx context.Context, device string, op operator, ip string) (id int64, err error)
	Device(ctx context.Context, id int64) (deviceView, error)
	ChangeDevice(ctx context.Context, o deviceOrder) (deviceDone, error)
	ForgetDevice(ctx context.Context, id int64, op operator, ip string) error
}

// devicesView fills templates/devices.html.
type devicesView struct {
	Subnets []subnetLine
	Scan    scanView
	Devices []deviceLine

	Done    string // "scan", "add" or "forget"
	Typed   string // address that was typed
	Problem string // why nothing was done, a sentence
}

// subnetLine is a network that can be searched.
type subnetLine struct {
	Prefix string
	Card   string // its network card
	Own    string // address of this box
	Hosts  int    // addresses that are looked at
	Whole  string // the network, if it is larger than what is looked at
	Chosen bool
}

// scanView is a search; it has none when it never began.
type scanView struct {
	Running bool
	Prefix  string
	Started time.Time
	Ended   time.Time
	Hosts   int
	Asked   int
	Found   []deviceLine
	Cut     bool // it ended before it had asked all
}

// New are the addresses of those that were found and not added yet.
func (v scanView) New() (list []string) {
	for _, d := range v.Found {
		if d.ID == 0 {
			list = append(list, d.IP)
		}
	}
	return list
}

// deviceLine is a miner of the home network. Those that were only found have no id.
type deviceLine struct {
	ID       int64
	IP       string
	Model    string
	Firmware string
	Name     string // in the network
	API      string
	State    string // here, elsewhere, away, other, unasked
	Rate     *float64
	Celsius  *float64
	Watts    *float64
	Pool     minerPool // that it mines for
	At       time.Time // of its last answer

	Address   string // and Worker: as whom it mines here
	Worker    string
	Connected bool // it is, from this address
	Kept      bool // its old pool is kept
}

// minerPool is whom a device mines for, as it may be shown.
type minerPool struct{ URL, User string }

// PerTH is what the device uses for a terahash, by its own measure.
func (d deviceLine) PerTH() *float64 {
	if d.Watts == nil || d.Rate == nil || *d.Rate <= 0 {
		return nil
	}
	return new(*d.Watts / *d.Rate * 1e12)
}

// WorkerPath is where the page of its worker is, empty when it mines elsewhere.
func (d deviceLine) WorkerPath() string {
	if d.Address == "" {
		return ""
	}
	return workerPath(d.Address, d.Worker)
}

func (s *site) devices(r *http.Request, who caller) (any, error) {
	v, err := s.findDevices(r, who)
	v.Done = r.URL.Query().Get("done")
	return v, err
}

// findDevices has the network chosen in which the visitor is.
func (s *site) findDevices(r *http.Request, who caller) (devicesView, error) {
	v, err := s.box.Devices(r.Context())
	if err != nil || len(v.Subnets) == 0 {
		return v, err
	}
	chosen := 0
	for i, n := range v.Subnets {
		if prefix, err := netip.ParsePrefix(n.Prefix); err == nil && who.IP.IsValid() && prefix.Contains(who.IP.Unmap()) {
			chosen = i
		}
	}
	v.Subnets[chosen].Chosen = true
	return v, nil
}

// scanDevices begins a search.
func (s *site) scanDevices(w http.ResponseWriter, r *http.Request, who caller) error {
	err := s.box.ScanDevices(r.Context(), r.PostFormValue("network"), who.Operator, who.IP.String())
	return s.didDevices(w, r, who, "", "/devices?done=scan#search", err)
}

// What one form adds is bounded, in number and in time: each is asked first.
const (
	maxAdded = 64
	addTime  = 15 * time.Second
)

// addDevices adds the miners that the form names by their addresses. What was added
// before one that is refused stays added; those for which there is no time are not.
func (s *site) addDevices(w http.ResponseWriter, r *http.Request, who caller) error {
	typed := strings.TrimSpace(cut(r.PostFormValue("ip"), 60))
	list := r.PostForm["ip"]
	var id int64
	var err error
	hurry, cancel := context.WithTimeout(r.Context(), addTime)
	defer cancel()
	for _, ip := range list[:min(len(list), maxAdded)] {
		if hurry.Err() != nil {
			break
		}
		if id, err = s.box.AddDevice(r.Context(), strings.TrimSpace(cut(ip, 60)), who.Operator, who.IP.String()); err != nil {
			break
		}
	}
	if len(list) == 0 {
		err = refused("Name the address of a miner.")
	}
	next := "/devices?done=add"
	if len(list) == 1 && err == nil {
		next = devicePath(id)
	}
	return s.didDevices(w, r, who, typed, next, err)
}

// forgetDevice forgets a miner.
func (s *site) forgetDevice(w http.ResponseWriter, r *http.Request, who caller) error {
	id, err := deviceID(r)
	if err != nil {
		return err
	}
	if err := s.box.ForgetDevice(r.Context(), id, who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/devices?done=forget", http.StatusSeeOther)
	return nil
}

// didDevices leads on, or comes back with what is wrong.
func (s *site) didDevices(w http.ResponseWriter, r *http.Request, who caller, typed, next string, err error) error {
	if detail, ok := detailOf(err); ok {
		v, err := s.findDevices(r, who)
		if err != nil {
			return err
		}
		v.Typed, v.Problem = typed, detail
		return s.again(w, r, who, "devices", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}
