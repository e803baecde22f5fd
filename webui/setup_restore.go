package webui

import (
	"net/http"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// A box can begin as the one of a backup: the file is uploaded, looked at, shown, and
// takes its place when the person says so. These pages belong to the step that asks
// how to begin.

// restore shows the form, or what is in the file that was uploaded.
func (p *setup) restore(w http.ResponseWriter, r *http.Request, who caller) error {
	return p.showRestore(w, r, who, nil)
}

// showRestore shows the page after something that went wrong with err, or nothing did.
func (p *setup) showRestore(w http.ResponseWriter, r *http.Request, who caller, err error) error {
	status, problems := http.StatusOK, []string(nil)
	if err != nil {
		if r.Context().Err() != nil {
			return err
		}
		p.log.Warn("Backup not taken", "err", err)
		status, problems = http.StatusUnprocessableEntity, sentences(err)
	}
	v, err := p.frame(r, appliance.StepStart)
	if err != nil {
		return err
	}
	if !v.open(v.Step) {
		return p.begin(w, r, who)
	}
	if preview, there := p.wizard.ReceivedBackup(); there {
		v.Preview = new(previewOf(preview))
	}
	v.Problems = problems
	p.show(w, r, who, status, "setup_restore", v)
	return nil
}

// uploadBackup takes a backup as a file. It is unpacked as it comes and is never in
// memory as a whole.
func (p *setup) uploadBackup(w http.ResponseWriter, r *http.Request, who caller) error {
	file := receive(w, r)
	defer file.hear()
	_, err := p.wizard.ReceiveBackup(r.Context(), file, cut(r.PostFormValue("passphrase"), 1024))
	file.hear()
	// All of it has been looked at since the last byte came.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(bodyPatience))
	if err != nil {
		return p.showRestore(w, r, who, err)
	}
	return toRestore(w, r)
}

// takeBackup makes this box the one of the backup, and leads to its sign-in.
func (p *setup) takeBackup(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := p.wizard.Restore(r.Context(), who.IP.String()); err != nil {
		return p.showRestore(w, r, who, err)
	}
	dropCookie(w, r, setupCookie)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func (p *setup) dropBackup(w http.ResponseWriter, r *http.Request, _ caller) error {
	if err := p.wizard.DropBackup(); err != nil {
		return err
	}
	return toRestore(w, r)
}

func toRestore(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/setup/restore", http.StatusSeeOther)
	return nil
}
