package webui

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// chest is what the golden box knows of its backups.
type chest struct {
	view    backupsView
	plan    planView
	key     keyView
	line    string
	preview previewView
	refuses error // the next order

	ordered []string
	changed []planChange
}

const backupText = "age-encryption.org/v1\n…"

func newChest() chest {
	at := func(d time.Duration) time.Time { return noon.Add(-d) }
	copies := []copyLine{{Place: "box", There: true}, {Place: "disk", Problem: "No disk is mounted at /media/dmpool/disk."}, {Place: "server", There: true}}
	line := func(id int64, ago time.Duration, state string) backupLine {
		name := "dmpool-practice-" + at(ago).Format("20060102-150405") + ".age"
		return backupLine{ID: id, Name: name, File: "/var/lib/dmpool/practice/backups/" + name, At: at(ago), Actor: "schedule", Size: 18_400_000, SHA256: strings.Repeat("c0ffee", 10) + "1234", State: state, CheckedAt: at(ago - time.Minute), Copies: copies[:1]}
	}
	c := chest{line: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFqn dmpool"}
	c.key = keyView{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMq", "ED25519", "SHA256:Qd6bqkCVZ0cJqnQ1ZVvZ1FzvJ0c5mN0l8kz7oBvS9pE"}
	newest, unsound, failed := line(42, 6*time.Hour, "sound"), line(41, 30*time.Hour, "unsound"), line(40, 54*time.Hour, "failed")
	newest.Copies, newest.Notice = copies, "The wallet in it is the copy of 20 November 2026, the newest there is."
	unsound.Problem = "The backup was altered or damaged after it was made; copy it again from where it is kept, or take another one."
	failed.Size, failed.SHA256, failed.Copies, failed.Actor, failed.Problem, failed.CheckedAt = 0, "", nil, hostile, "It was cut short.", time.Time{}
	gone := line(39, 900*time.Hour, "gone")
	gone.Copies = []copyLine{{Place: "box", Gone: true}, {Place: "folder", Gone: true}}
	c.view = backupsView{
		Ready: true, Verified: at(6 * time.Hour), Kept: 12, NextAt: noon.Add(14 * time.Hour), More: 39,
		Problem: "The newest backup is not in the place disk: No disk is mounted at /media/dmpool/disk.", Next: "Open the backup page.",
		Lines:   []backupLine{newest, unsound, failed, gone},
		Places:  []placeLine{{Name: "box"}, {Name: "folder", Where: "/mnt/" + hostile, Same: true}, {Name: "disk", Where: "/media/dmpool/disk"}, {Name: "server", Where: "nas.local"}},
		Command: restoreCommand("FILE.age"),
	}
	c.plan = planView{
		Rev: 3, Time: "02:00", Folder: "/mnt/" + hostile, Same: true, Disk: true, DiskAt: "/media/dmpool/disk", Since: at(400 * time.Hour),
		Server: &serverView{Address: "nas.local", User: "box", Folder: "backups", Key: c.key},
	}
	c.preview = previewView{
		ID: 42, Name: newest.Name, Network: "practice", Made: newest.At, Program: "1.2.3", Wallet: true, Notice: newest.Notice,
		Backup: booksLine{"Hill & Valley", []string{"admin", "bert"}, 4, 11, 1_222_300, newest.At.Add(-time.Hour)},
		Here:   &booksLine{"Hill & Valley", []string{"admin", hostile}, 5, 12, 1_734_300, noon.Add(-time.Minute)},
		Lost:   lossView{31, 1, 90_211, 1, 512_000}, Command: restoreCommand("/var/lib/dmpool/practice/backups/" + newest.Name),
	}
	return c
}

// emptyChest is that of a new box.
func emptyChest() chest {
	return chest{
		view: backupsView{
			Problem: "Nothing is backed up: there is no passphrase for the backups yet.", Next: "Open the backup page and set one; backups are then made every night.",
			Places: []placeLine{{Name: "box"}}, Command: restoreCommand("FILE.age"),
		},
		plan: planView{Time: "02:00", DiskAt: "/media/dmpool/disk", Draft: "abcde-fghij-klmno-pqrst-uvwxy"},
	}
}

func (g *golden) Backups(context.Context, int64) (backupsView, error) { return g.chest.view, nil }

func (g *golden) Backup(_ context.Context, id int64) (backupLine, error) {
	for _, l := range g.chest.view.Lines {
		if l.ID == id {
			return l, nil
		}
	}
	return backupLine{}, notFound()
}

func (g *golden) took(order string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.chest.refuses; err != nil {
		return err
	}
	g.chest.ordered = append(g.chest.ordered, order)
	return nil
}

func (g *golden) OrderBackup(context.Context, operator, string) error { return g.took("create") }

func (g *golden) OrderVerify(_ context.Context, id int64, _ operator, _ string) error {
	return g.took("verify " + number(id))
}

func (g *golden) OpenBackup(ctx context.Context, id int64, _ operator, _ string) (backupFile, error) {
	l, err := g.Backup(ctx, id)
	if err != nil {
		return backupFile{}, err
	}
	return backupFile{io.NopCloser(strings.NewReader(backupText)), l.Name, int64(len(backupText))}, g.took("open " + number(id))
}

func (g *golden) RemoveBackup(_ context.Context, id int64, place string, _ operator, _ string) error {
	return g.took("remove " + number(id) + " " + place)
}

func (g *golden) CleanUpBackups(context.Context, operator, string) (int, error) {
	return 2, g.took("clean up")
}

func (g *golden) PreviewBackup(_ context.Context, id int64) (previewView, error) {
	return g.chest.preview, g.took("preview " + number(id))
}

func (g *golden) BackupPlan(context.Context) (planView, string, error) {
	return g.chest.plan, g.chest.line, nil
}

func (g *golden) PrepareServer(_ context.Context, address string) (keyView, error) {
	return g.chest.key, g.took("ask " + address)
}

func (g *golden) HostKey(line string) (keyView, error) {
	if line != g.chest.key.Line {
		_, err := appliance.ServerKeyOf(line)
		return keyView{}, asProblem(err)
	}
	return g.chest.key, nil
}

func (g *golden) ChangeBackups(_ context.Context, c planChange) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.chest.refuses != nil {
		return g.chest.refuses
	}
	if c.Rev != g.chest.plan.Rev {
		return stale(nil)
	}
	g.chest.changed = append(g.chest.changed, c)
	return nil
}

func (g *golden) TryPlace(_ context.Context, name string) error { return g.took("try " + name) }
