package webui

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// planView fills templates/backup_places.html.
type planView struct {
	Rev    int64
	Time   string // 02:00
	Folder string
	Same   bool // the folder is on the disk of the box
	Disk   bool
	DiskAt string // where a disk is mounted
	Server *serverView
	Since  time.Time // of the passphrase; zero: there is none
	Draft  string    // a passphrase that could be taken

	V       map[string]string // what was typed
	Done    string
	Wrong   string // form that came back
	Refusal string // why, a sentence; empty: the password was wrong
}

// Allow is how the service is let write to the folder.
func (v planView) Allow() string {
	folder := cmp.Or(v.V["folder"], "/mnt/backups")
	return "sudo chown dmpool: " + folder + "\nsudo systemctl edit dmpool\n\n" +
		"[Service]\nReadWritePaths=-" + folder + "\n\nsudo systemctl restart dmpool"
}

// serverView is a server that keeps backups.
type serverView struct {
	Address, User, Folder string
	Key                   keyView
	ByPassword            bool
}

// keyView is the host key of a server.
type keyView struct{ Line, Kind, Fingerprint string }

// serverSheet fills templates/backup_server.html: a server that is looked at before it
// is taken.
type serverSheet struct {
	Rev     int64
	Server  serverView
	Line    string // by which the box signs in, for authorized_keys
	Changed bool   // the server had another host key until now
	Wrong   bool
	Refusal string
}

// Command is what shows the fingerprints on the server itself.
func (serverSheet) Command() string {
	return "for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done"
}

// planChange changes one thing of the plan.
type planChange struct {
	Rev        int64
	Time       *int // minutes after midnight
	Folder     *string
	Disk       *bool
	Server     *serverChange
	Passphrase string
	Operator   operator
	IP         string
}

// serverChange is another server; none when it has no address.
type serverChange struct {
	Address, User, Folder, HostKey string
	ByPassword                     bool
	Password                       string
}

// backupPlans is what the pages about places need of the appliance.
type backupPlans interface {
	BackupPlan(ctx context.Context) (v planView, line string, err error)
	PrepareServer(ctx context.Context, address string) (keyView, error)
	HostKey(line string) (keyView, error) // of such a line
	ChangeBackups(ctx context.Context, c planChange) error
	TryPlace(ctx context.Context, name string) error
}

func (s *site) backupPlaces(r *http.Request, _ caller) (any, error) {
	v, err := s.planNow(r)
	v.Done = r.URL.Query().Get("done")
	return v, err
}

func (s *site) planNow(r *http.Request) (planView, error) {
	v, _, err := s.box.BackupPlan(r.Context())
	v.V = map[string]string{"time": v.Time, "folder": v.Folder, "address": "", "user": "", "server_folder": ""}
	if v.Server != nil {
		v.V["address"], v.V["user"], v.V["server_folder"] = v.Server.Address, v.Server.User, v.Server.Folder
	}
	return v, err
}

// planAgain shows the page once more with what was wrong about a form, and with what
// was typed into it, but for secrets.
func (s *site) planAgain(w http.ResponseWriter, r *http.Request, who caller, form, refusal string) error {
	v, err := s.planNow(r)
	if err != nil {
		return err
	}
	for key := range v.V {
		if r.PostForm.Has(key) {
			v.V[key] = cut(r.PostFormValue(key), 512)
		}
	}
	v.Wrong, v.Refusal = form, refusal
	return s.again(w, r, who, "backup_places", v)
}

// The forms of the page about places.
const (
	planTime       = "time"
	planPassphrase = "passphrase"
	planFolder     = "folder"
	planDisk       = "disk"
	planServer     = "server"
	planNoServer   = "no-server"
)

// changePlan runs one of the forms, for somebody who has proved to be the operator.
func (s *site) changePlan(form string) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		right, err := s.proves(r, who)
		if err != nil {
			return err
		}
		if !right {
			return s.planAgain(w, r, who, form, "")
		}
		c, err := readPlanChange(form, r)
		if err == nil {
			c.Operator, c.IP = who.Operator, who.IP.String()
			err = s.box.ChangeBackups(r.Context(), c)
		}
		if refusal, declined := refusalOf(err); declined {
			return s.planAgain(w, r, who, form, refusal)
		}
		if err != nil {
			return err
		}
		http.Redirect(w, r, "/backup/places?done="+form, http.StatusSeeOther)
		return nil
	}
}

func readPlanChange(form string, r *http.Request) (c planChange, err error) {
	if c.Rev, err = revOf(r); err != nil {
		return c, err
	}
	switch form {
	case planTime:
		at, err := time.Parse("15:04", cut(strings.TrimSpace(r.PostFormValue("time")), 5))
		if err != nil {
			return c, invalid("The time is not understood. Write it like 02:00.")
		}
		c.Time = new(at.Hour()*60 + at.Minute())
	case planPassphrase:
		if c.Passphrase = cut(r.PostFormValue("passphrase"), 1024); c.Passphrase == "" {
			return c, refused("Type a passphrase.")
		}
		if c.Passphrase != r.PostFormValue("passphrase_again") {
			return c, refused("The two passphrases differ. Type the same one twice.")
		}
	case planFolder:
		c.Folder = new(strings.TrimSpace(cut(r.PostFormValue("folder"), 512)))
	case planDisk:
		c.Disk = new(r.PostFormValue("disk") == "on")
	case planNoServer:
		c.Server = &serverChange{}
	default:
		return c, fmt.Errorf("change backups: there is no form %q", form)
	}
	return c, nil
}

// prepareServer asks a server for its host key and shows it, with what the server has
// to be told. Nothing is stored, and nobody signs in there.
func (s *site) prepareServer(w http.ResponseWriter, r *http.Request, who caller) error {
	in := typedServer(r)
	key, err := s.box.PrepareServer(r.Context(), in.Address)
	if refusal, declined := refusalOf(err); declined {
		return s.planAgain(w, r, who, planServer, refusal)
	}
	if err != nil {
		return err
	}
	v, err := s.serverSheet(r.Context(), in, key)
	if err != nil {
		return err
	}
	s.show(w, r, who, http.StatusOK, "backup_server", v)
	return nil
}

func typedServer(r *http.Request) serverChange {
	get := func(name string, most int) string { return strings.TrimSpace(cut(r.PostFormValue(name), most)) }
	return serverChange{
		Address: get("address", 260), User: get("user", 64), Folder: get("server_folder", 512), HostKey: get("host_key", 8192),
		ByPassword: r.PostFormValue("sign") == "password", Password: cut(r.PostFormValue("server_password"), 1024),
	}
}

func (s *site) serverSheet(ctx context.Context, in serverChange, key keyView) (serverSheet, error) {
	plan, line, err := s.box.BackupPlan(ctx)
	v := serverSheet{
		Rev: plan.Rev, Line: line,
		Server: serverView{Address: in.Address, User: in.User, Folder: in.Folder, Key: key, ByPassword: in.ByPassword},
	}
	if was := plan.Server; was != nil && was.Address == in.Address {
		v.Changed = was.Key.Line != key.Line
	}
	return v, err
}

// confirmServer takes a server whose host key the operator has compared.
func (s *site) confirmServer(w http.ResponseWriter, r *http.Request, who caller) error {
	in := typedServer(r)
	key, err := s.box.HostKey(in.HostKey)
	if err != nil {
		return err
	}
	again := func(refusal string) error {
		v, err := s.serverSheet(r.Context(), in, key)
		if err != nil {
			return err
		}
		v.Wrong, v.Refusal = true, refusal
		return s.again(w, r, who, "backup_server", v)
	}
	right, err := s.proves(r, who)
	switch {
	case err != nil:
		return err
	case !right:
		return again("")
	case r.PostFormValue("compared") == "":
		return again("Compare the fingerprint first, and say that it is the same.")
	}
	rev, err := revOf(r)
	if err != nil {
		return err
	}
	err = s.box.ChangeBackups(r.Context(), planChange{Rev: rev, Server: &in, Operator: who.Operator, IP: who.IP.String()})
	if refusal, declined := refusalOf(err); declined {
		return again(refusal)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/backup/places?done="+planServer, http.StatusSeeOther)
	return nil
}

// tryPlace lays a small file into a place and takes it away again.
func (s *site) tryPlace(w http.ResponseWriter, r *http.Request, who caller) error {
	err := s.box.TryPlace(r.Context(), r.PathValue("place"))
	if refusal, declined := refusalOf(err); declined {
		return s.planAgain(w, r, who, "try", refusal)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/backup/places?done=try", http.StatusSeeOther)
	return nil
}

// revOf is the revision that was on the screen.
func revOf(r *http.Request) (int64, error) {
	rev, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	if err != nil {
		return 0, invalid("The form does not say what it changes. Open the page again.")
	}
	return rev, nil
}
