package webui

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// deviceView fills templates/device.html.
type deviceView struct {
	deviceLine

	Serial   string
	Actor    string // who added it
	AddedAt  time.Time
	Way      string // click, password or hand; empty while it has not answered
	Obstacle string // why it is hand
	Lasting  bool   // what is set by its API outlives its restart
	List     []minerPool

	Old    minerPool // what it was told before we changed it, if Kept
	KeptAt time.Time
	Going  string    // here or back: what it was told
	Told   minerPool // by us
	ToldAt time.Time
	Obeys  bool // it says that it does

	URL, Host, Port string // of this pool, for it
	Payout          string // address that was typed last
	Called          string // what it would be called

	Done    string // what a form did: set or restore, and how far it came
	Form    string // the form that comes back
	Wrong   bool   // the proof in it is
	Problem string // what else is wrong, a sentence
}

// Field is the id of the proof's field in the form that comes back.
func (v deviceView) Field() string { return v.Form + "-proof" }

// User is what to type as user name.
func (v deviceView) User() string { return v.Payout + "." + v.Called }

// The changes of a device, as forms and URLs name them.
const (
	deviceSet     = "set"
	deviceRestore = "restore"
)

// deviceOrder asks for one of them.
type deviceOrder struct {
	ID       int64
	Action   string
	Address  string // payout address
	Worker   string
	User     string // of the device's own page, and
	Password string
	Pool     string // password of the old pool
	Operator operator
	IP       string
}

// deviceDone is how far one came.
type deviceDone struct {
	Seen       bool // the device says what it was told
	Restarting bool
	Restarts   bool // a device of this kind has to
}

func (s *site) device(r *http.Request, _ caller) (any, error) {
	v, err := s.findDevice(r)
	if done := r.URL.Query().Get("done"); isDeviceDone(done) {
		v.Done = done
	}
	return v, err
}

// isDeviceDone tells what the page can say of a change.
func isDeviceDone(done string) bool {
	switch done {
	case "set", "set-restarts", "set-silent", "restore", "restore-restarts", "restore-silent":
		return true
	}
	return false
}

func deviceID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, notFound()
	}
	return id, nil
}

func devicePath(id int64) string { return "/devices/" + strconv.FormatInt(id, 10) }

// Path is where the page of the device is.
func (d deviceLine) Path() string { return devicePath(d.ID) }

func (s *site) findDevice(r *http.Request) (deviceView, error) {
	id, err := deviceID(r)
	if err != nil {
		return deviceView{}, err
	}
	return s.box.Device(r.Context(), id)
}

// changeDevice tells a device to mine here, or where it did before, when the form
// carries the password of the one who asks: it says where hash power goes.
func (s *site) changeDevice(action string) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		v, err := s.findDevice(r)
		if err != nil {
			return err
		}
		o := deviceOrder{
			ID: v.ID, Action: action, Operator: who.Operator, IP: who.IP.String(),
			Address: strings.TrimSpace(cut(r.PostFormValue("address"), 200)), Worker: strings.TrimSpace(cut(r.PostFormValue("worker"), 64)),
			User: cut(r.PostFormValue("user"), 128), Password: cut(r.PostFormValue("device_password"), 128), Pool: cut(r.PostFormValue("pool_password"), 128),
		}
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		var done deviceDone
		if right {
			done, err = s.box.ChangeDevice(r.Context(), o)
		}
		detail, refused := detailOf(err)
		if err != nil && !refused {
			return err
		}
		if !right || refused {
			if v, err = s.findDevice(r); err != nil {
				return err
			}
			v.Form, v.Wrong, v.Problem = action, !right, detail
			if action == deviceSet {
				v.Payout, v.Called = o.Address, o.Worker
			}
			return s.again(w, r, who, "device", v)
		}
		http.Redirect(w, r, v.Path()+"?done="+action+done.how(), http.StatusSeeOther)
		return nil
	}
}

// how ends the name of what to say of a change.
func (d deviceDone) how() string {
	switch {
	case d.Restarting:
		return "-restarts"
	case d.Restarts:
		return "-silent"
	}
	return ""
}
