package webui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// backupsShown is how many backups are on a page.
const backupsShown = 30

func (m *machine) Backups(ctx context.Context, before int64) (backupsView, error) {
	state, err := m.box.BackupState(ctx)
	if err != nil {
		return backupsView{}, fmt.Errorf("look at the backups: %w", err)
	}
	plan, err := m.box.BackupPlan(ctx)
	if err != nil {
		return backupsView{}, fmt.Errorf("look at the backups: %w", err)
	}
	all, err := m.box.Backups(ctx, before, backupsShown+1)
	if err != nil {
		return backupsView{}, fmt.Errorf("look at the backups: %w", err)
	}
	v := backupsView{
		Ready: state.Ready, Verified: state.LastVerified, Problem: state.Problem, Next: state.Next, Kept: state.Kept,
		Places: m.placesOf(plan), Command: restoreCommand("FILE.age"), Doing: doing(m.box.BackupWork()),
	}
	if state.Ready {
		if v.NextAt, err = m.box.NextBackup(ctx); err != nil {
			return v, fmt.Errorf("look at the backups: %w", err)
		}
	}
	if len(all) > backupsShown {
		all = all[:backupsShown]
		v.More = all[backupsShown-1].ID
	}
	for _, b := range all {
		v.Lines = append(v.Lines, m.backupLine(b))
	}
	return v, nil
}

// placesOf are the places that backups are brought to, this box first.
func (m *machine) placesOf(plan appliance.BackupPlan) []placeLine {
	all := []placeLine{{Name: appliance.PlaceBox}}
	if plan.Folder != "" {
		all = append(all, placeLine{Name: appliance.PlaceFolder, Where: plan.Folder, Same: plan.Same})
	}
	if plan.Disk {
		all = append(all, placeLine{Name: appliance.PlaceDisk, Where: appliance.BackupDisk})
	}
	if s := plan.Server; s != nil {
		all = append(all, placeLine{Name: appliance.PlaceServer, Where: s.Address})
	}
	return all
}

func (m *machine) backupLine(b appliance.Backup) backupLine {
	l := backupLine{
		ID: b.ID, Name: b.Name, File: m.box.BackupFile(b.Name), At: b.At, Actor: b.Actor, Size: b.Size, SHA256: b.SHA256,
		CheckedAt: b.CheckedAt, Problem: b.Problem, Notice: b.Notice,
	}
	for _, c := range b.Copies {
		l.Copies = append(l.Copies, copyLine{Place: c.Place, There: c.There(), Gone: !c.GoneAt.IsZero(), Problem: c.Problem})
	}
	work := m.box.BackupWork()
	switch {
	case work.What == appliance.BackupCreate && b.CheckedAt.IsZero() && !b.At.Before(work.Since.Add(-time.Second)):
		l.State, l.Problem = "running", ""
	case b.SHA256 == "" && !b.There():
		l.State = "failed"
	case !b.There():
		l.State = "gone"
	case b.Sound:
		l.State = "sound"
	case b.CheckedAt.IsZero():
		l.State = "unchecked"
	default:
		l.State = "unsound"
	}
	return l
}

func (m *machine) Backup(ctx context.Context, id int64) (backupLine, error) {
	b, err := m.box.Backup(ctx, id)
	return m.backupLine(b), ofBackups(err)
}

// ofBackups is asProblem for what is said about backups.
func ofBackups(err error) error {
	switch {
	case errors.Is(err, appliance.ErrNoBackup), errors.Is(err, appliance.ErrNoPlace):
		return notFound()
	case errors.Is(err, appliance.ErrStarting):
		return absent("The box is still starting; try again in a minute.")
	}
	if _, spoken := errors.AsType[*appliance.PersonError](err); spoken { // it is more particular
		return asProblem(err)
	}
	if sentence, ok := appliance.BackupRefusal(err); ok {
		return refused(asSentence(sentence))
	}
	return asProblem(err)
}

func (m *machine) OrderBackup(ctx context.Context, op operator, ip string) error {
	return ofBackups(m.box.OrderBackup(ctx, op.Name, ip))
}

func (m *machine) OrderVerify(ctx context.Context, id int64, op operator, ip string) error {
	return ofBackups(m.box.OrderBackupCheck(ctx, id, op.Name, ip))
}

func (m *machine) OpenBackup(ctx context.Context, id int64, op operator, ip string) (backupFile, error) {
	content, b, err := m.box.OpenBackup(ctx, id, op.Name, ip)
	if err != nil {
		return backupFile{}, ofBackups(err)
	}
	return backupFile{content, b.Name, b.Size}, nil
}

func (m *machine) RemoveBackup(ctx context.Context, id int64, place string, op operator, ip string) error {
	return ofBackups(m.box.RemoveBackup(ctx, id, place, op.Name, ip))
}

func (m *machine) CleanUpBackups(ctx context.Context, op operator, ip string) (int, error) {
	n, err := m.box.CleanUpBackups(ctx, op.Name, ip)
	return n, ofBackups(err)
}

func (m *machine) PreviewBackup(ctx context.Context, id int64) (previewView, error) {
	p, err := m.box.PreviewBackup(ctx, id)
	if err != nil {
		return previewView{}, ofBackups(err)
	}
	v := previewOf(p)
	v.ID, v.Command = id, restoreCommand(m.box.BackupFile(v.Name))
	return v, nil
}

// previewOf is what somebody sees before a backup takes the place of what is there.
func previewOf(p appliance.RestorePreview) previewView {
	v := previewView{
		Name: p.Name, Network: p.Network, Made: p.Made, Program: p.Program, Wallet: p.Wallet != "", Notice: p.Notice,
		Backup: booksOf(p.Backup), Broken: p.Broken,
		Lost: lossView{p.Lost.Bookings, p.Lost.Blocks, p.Lost.Shares, p.Lost.Payouts, p.Lost.PaidSat},
	}
	if p.Here != nil {
		v.Here = new(booksOf(*p.Here))
	}
	return v
}

func booksOf(b appliance.Books) booksLine {
	return booksLine{b.Pool, b.Operators, len(b.Miners), b.Blocks, b.Sums.Owed(), b.Last}
}

// restoreCommand is how a backup is restored on an installed box.
func restoreCommand(file string) string {
	return "sudo systemctl stop dmpool\nsudo dmpool backup restore " + file + "\nsudo systemctl start dmpool"
}

func (m *machine) BackupPlan(ctx context.Context) (v planView, line string, err error) {
	p, err := m.box.BackupPlan(ctx)
	if err != nil {
		return v, "", fmt.Errorf("read plan of the backups: %w", err)
	}
	v = planView{
		Rev: p.Rev, Time: fmt.Sprintf("%02d:%02d", p.At/60, p.At%60), Folder: p.Folder, Disk: p.Disk, DiskAt: appliance.BackupDisk,
		Same: p.Same,
	}
	if s := p.Server; s != nil {
		v.Server = &serverView{s.Address, s.User, s.Folder, keyView(s.HostKey), s.ByPassword}
	}
	if v.Since, _, err = m.box.HasBackupPassphrase(ctx); err != nil {
		return v, "", fmt.Errorf("read plan of the backups: %w", err)
	}
	if v.Since.IsZero() {
		v.Draft = appliance.NewBackupPassphrase()
	}
	return v, p.Key, nil
}

// serverPatience is how long a person waits for the answer of a server.
const serverPatience = 20 * time.Second

func (m *machine) PrepareServer(ctx context.Context, address string) (keyView, error) {
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	key, err := m.box.PrepareServer(ctx, address)
	return keyView(key), ofBackups(err)
}

func (m *machine) HostKey(line string) (keyView, error) {
	key, err := appliance.ServerKeyOf(line)
	return keyView(key), ofBackups(err)
}

func (m *machine) ChangeBackups(ctx context.Context, c planChange) error {
	change := appliance.BackupChange{
		Rev: c.Rev, At: c.Time, Folder: c.Folder, Disk: c.Disk, Passphrase: c.Passphrase, Actor: c.Operator.Name, IP: c.IP,
	}
	if c.Server != nil {
		change.Server = new(appliance.ServerChange(*c.Server))
	}
	return ofBackups(m.box.ChangeBackups(ctx, change))
}

func (m *machine) TryPlace(ctx context.Context, name string) error {
	return ofBackups(m.box.TryBackupPlace(ctx, name))
}
