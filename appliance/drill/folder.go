package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// keep is how many reports are kept.
const keep = 20

var (
	// ErrBusy says that a drill runs already.
	ErrBusy = errors.New("a fire drill runs already; wait for its end")
	// ErrNoReport says that there is no report of that name.
	ErrNoReport = errors.New("there is no such report; the last 20 are kept")
)

// Folder keeps the reports of a box, and the throw-away box of the drill that runs.
type Folder struct{ Dir string }

// In returns the folder of a data directory.
func In(dataDir string) Folder { return Folder{filepath.Join(dataDir, "drills")} }

func (f Folder) lockFile() string         { return filepath.Join(f.Dir, "lock") }
func (f Folder) running() string          { return filepath.Join(f.Dir, "running.json") }
func (f Folder) scratch() string          { return filepath.Join(f.Dir, "scratch") }
func (f Folder) report(id string) string  { return filepath.Join(f.Dir, id+".json") }
func (f Folder) printed(id string) string { return filepath.Join(f.Dir, id+".txt") }

// Reports returns the drills that have ended, the newest first. One that cannot be
// read is left out.
func (f Folder) Reports() ([]Report, error) {
	ids, err := f.ids()
	if err != nil {
		return nil, err
	}
	var list []Report
	for _, id := range slices.Backward(ids) {
		if r, err := f.Report(id); err == nil {
			list = append(list, r)
		}
	}
	return list, nil
}

// Report returns one of them, or ErrNoReport.
func (f Folder) Report(id string) (Report, error) {
	if _, err := time.Parse(idForm, id); err != nil {
		return Report{}, ErrNoReport
	}
	return read(f.report(id))
}

// Running returns how far the drill is that runs now, false when none does.
func (f Folder) Running() (Report, bool) {
	r, err := read(f.running())
	if err != nil || !f.Taken() {
		return Report{}, false
	}
	return r, true
}

// Taken tells whether a drill runs.
func (f Folder) Taken() bool {
	lock, err := os.Open(f.lockFile())
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// ids are the names of the reports, in order.
func (f Folder) ids() (ids []string, err error) {
	names, err := filepath.Glob(filepath.Join(f.Dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list drills: %w", err)
	}
	for _, name := range names {
		id := filepath.Base(name)
		id = id[:len(id)-len(".json")]
		if _, err := time.Parse(idForm, id); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func read(name string) (r Report, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, ErrNoReport
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read the report of a drill: %w", err)
	}
	return r, nil
}

// Stage is the folder while a drill has it.
type Stage struct {
	folder Folder
	lock   *os.File
}

// Take makes the folder this drill's, clears up after an earlier one, and makes a new
// scratch folder. It returns ErrBusy when another has it.
func (f Folder) Take() (*Stage, error) {
	lock, err := f.hold()
	if err != nil {
		return nil, err
	}
	if err := f.clear(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := os.Mkdir(f.scratch(), 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("make the folder of a drill: %w", err), lock.Close())
	}
	return &Stage{f, lock}, nil
}

// Sweep clears up after a drill that was cut off, unless one runs.
func (f Folder) Sweep() error {
	if _, err := os.Stat(f.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := f.hold()
	if errors.Is(err, ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.clear(), lock.Close())
}

// hold takes the lock, which ends with the process.
func (f Folder) hold() (*os.File, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of drills: %w", err)
	}
	lock, err := os.OpenFile(f.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the folder of drills: %w", err)
	}
	for range 5 { // who only looks ([Folder.Taken]) has it for a moment
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		err = ErrBusy
		time.Sleep(20 * time.Millisecond)
	}
	return nil, errors.Join(err, lock.Close())
}

// clear makes a report of what is left of a drill, and deletes its box. The caller
// has the lock.
func (f Folder) clear() error {
	if err := os.RemoveAll(f.scratch()); err != nil {
		return fmt.Errorf("delete the box of an earlier drill: %w", err)
	}
	r, err := read(f.running())
	if errors.Is(err, ErrNoReport) {
		return nil
	}
	if err == nil {
		if _, ended := f.Report(r.ID); errors.Is(ended, ErrNoReport) {
			r.cutOff()
			err = f.write(r)
		}
	}
	return errors.Join(err, os.Remove(f.running()))
}

// write keeps a report that is complete.
func (f Folder) write(r Report) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report of a drill: %w", err)
	}
	// The printed one first: the other is what makes it a report.
	err = errors.Join(
		renameio.WriteFile(f.printed(r.ID), []byte(r.Text()), 0o600),
		renameio.WriteFile(f.report(r.ID), append(text, '\n'), 0o600))
	if err != nil {
		return fmt.Errorf("keep the report of a drill: %w", err)
	}
	ids, err := f.ids()
	if err != nil {
		return err
	}
	for _, old := range ids[:max(0, len(ids)-keep)] {
		if err := errors.Join(os.Remove(f.report(old)), os.RemoveAll(f.printed(old))); err != nil {
			return fmt.Errorf("delete an old report: %w", err)
		}
	}
	return nil
}

// Dir is the scratch folder.
func (s *Stage) Dir() string { return s.folder.scratch() }

// Show tells how far the drill is.
func (s *Stage) Show(r Report) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = renameio.WriteFile(s.folder.running(), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("show how far the drill is: %w", err)
	}
	return nil
}

// Keep puts the scratch folder aside, where nobody deletes it, and returns its path.
func (s *Stage) Keep(id string) (string, error) {
	kept := filepath.Join(s.folder.Dir, "kept-"+id)
	if err := os.Rename(s.folder.scratch(), kept); err != nil {
		return "", fmt.Errorf("keep the box of the drill: %w", err)
	}
	return kept, nil
}

// End keeps the report, deletes the scratch folder and gives the folder back.
func (s *Stage) End(r Report) error {
	err := s.folder.write(r)
	if removed := os.Remove(s.folder.running()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return errors.Join(err, os.RemoveAll(s.folder.scratch()), s.lock.Close())
}
