package appliance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/faultdisk"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// What is said of the backups follows from their history, newest first, and from where
// they should be.
func TestBackupState(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration, places ...string) Backup {
		b := Backup{At: now.Add(-ago), CheckedAt: now, Sound: true, sound: true}
		for _, place := range places {
			b.Copies = append(b.Copies, BackupCopy{Place: place, At: now})
		}
		return b
	}
	begun := Backup{At: now, Problem: cutShort}
	year := -365 * 24 * time.Hour
	for _, test := range []struct {
		name     string
		history  []Backup
		places   []string
		busy     bool
		problem  string // what it begins with
		verified time.Duration
		kept     int
	}{
		{"all is well", []Backup{at(time.Hour, PlaceBox)}, nil, false, "", time.Hour, 1},
		{"one is being made", []Backup{begun, at(time.Hour, PlaceBox)}, nil, true, "", time.Hour, 1},
		{"one was cut short", []Backup{begun, at(time.Hour, PlaceBox)}, nil, false, "The last backup is not good", time.Hour, 1},
		{"an older one was cut short while one is made", []Backup{begun, begun, at(time.Hour, PlaceBox)}, nil, true, "The last backup is not good", time.Hour, 1},
		{"one of next year alone", []Backup{at(year, PlaceBox)}, nil, false, "There is no backup yet", 0, 1},
		{"one of next year beside a good one", []Backup{at(time.Hour, PlaceBox), at(year, PlaceBox)}, nil, false, "A backup says that it was made on 23 November 2027", time.Hour, 2},
		{"half an hour ahead", []Backup{at(-30*time.Minute, PlaceBox)}, nil, false, "", -30 * time.Minute, 1},
		{"in all its places", []Backup{at(time.Hour, PlaceBox, PlaceDisk)}, []string{PlaceDisk}, false, "", time.Hour, 1},
		{"cut short on its way", []Backup{at(time.Hour, PlaceBox)}, []string{PlaceDisk}, false, "The newest backup was not brought to the place disk", time.Hour, 1},
		{"on its way", []Backup{at(time.Hour, PlaceBox)}, []string{PlaceDisk}, true, "", time.Hour, 1},
		{"in a place that is planned no more", []Backup{at(time.Hour, PlaceServer)}, []string{PlaceDisk}, true, "There is no backup yet", 0, 0},
	} {
		for i := range test.history {
			test.history[i].ID = int64(len(test.history) - i)
		}
		s := BackupState{Ready: true}
		s.look(test.history, append(test.places, PlaceBox), now, func() bool { return test.busy })
		var verified time.Time
		if test.verified != 0 {
			verified = now.Add(-test.verified)
		}
		if (s.Problem == "") != (test.problem == "") || !strings.HasPrefix(s.Problem, test.problem) || !s.LastVerified.Equal(verified) || s.Kept != test.kept {
			t.Errorf("%s: %+v", test.name, s)
		}
	}
}

// A clock that was wrong ends neither the schedule, nor costs the backup that was just
// made.
func TestBackupOfAWrongClock(t *testing.T) {
	a, v := vaultOf(t)
	ahead, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	daysAgo(t, a.db, ahead.ID, -400)
	if _, err := a.backUp(t.Context()); !errors.Is(err, ErrStarting) { // it would make one, if the box had all its parts
		t.Errorf("a backup of next year counts as one of today: %v", err)
	}
	b, err := v.create(t.Context(), "admin", "")
	if err != nil || !b.in(PlaceBox).There() {
		t.Fatalf("%+v, %v", b, err)
	}
	if ahead, err = v.history().one(t.Context(), ahead.ID); err != nil || !ahead.There() {
		t.Errorf("the one of next year: %+v, %v", ahead, err)
	}
	s, err := a.BackupState(t.Context())
	if err != nil || time.Since(s.LastVerified) > time.Minute || !strings.Contains(s.Problem, "a clock was wrong") {
		t.Errorf("%+v, %v", s, err)
	}
	if m, err := a.backUp(t.Context()); err != nil || m != "there is a backup of today" {
		t.Errorf("%q, %v", m, err)
	}
}

// What a restart has kept from a place is brought there later, once.
func TestBackupBroughtLater(t *testing.T) {
	_, v := vaultOf(t)
	b, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	disk, away := backup.Folder{Dir: t.TempDir()}, &other{Folder: backup.Folder{Dir: t.TempDir()}, away: backup.ErrAway}
	v.others = []BackupPlace{{PlaceDisk, disk}, {PlaceFolder, away}}
	places := []string{PlaceBox, PlaceDisk, PlaceFolder}
	if missing := b.missingIn(places); len(missing) != 2 {
		t.Fatalf("missing in %v", missing)
	}
	if err := v.spreadAgain(t.Context(), &b); !errors.Is(err, backup.ErrAway) {
		t.Errorf("%v, want %v", err, backup.ErrAway)
	}
	if !b.in(PlaceDisk).Whole() || b.in(PlaceFolder).Problem == "" || len(b.missingIn(places)) != 0 {
		t.Errorf("%+v", b)
	}
}

// The last sound backup within reach is not removed, nor is any while one is made.
func TestRemoveBackup(t *testing.T) {
	_, v := vaultOf(t)
	v.others = []BackupPlace{{PlaceDisk, backup.Folder{Dir: t.TempDir()}}}
	b, err := v.create(t.Context(), "admin", "")
	if err != nil || !b.in(PlaceDisk).Whole() {
		t.Fatalf("%+v, %v", b, err)
	}
	disk := v.others
	v.others = nil // somebody has taken the disk out of the plan
	if err := v.drop(t.Context(), b.ID, PlaceBox, "admin", ""); !errors.Is(err, ErrLastBackup) {
		t.Errorf("the last one within reach: %v", err)
	}
	v.others = disk
	_, end, err := v.take()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.drop(t.Context(), b.ID, PlaceBox, "admin", ""); !errors.Is(err, ErrBackupBusy) {
		t.Errorf("while one is made: %v", err)
	}
	if !backupsBusy(v.dir.backups(v.network)) {
		t.Error("nobody is at work")
	}
	end()
	if backupsBusy(v.dir.backups(v.network)) {
		t.Error("somebody is at work")
	}
	if err := v.drop(t.Context(), b.ID, PlaceBox, "admin", ""); err != nil {
		t.Error(err)
	}
}

// To try a backup out leaves the node the room that it needs, and what cannot be tried
// is not thereby bad.
func TestVerifyLeavesRoom(t *testing.T) {
	if !faultdisk.Alone(t) {
		return
	}
	disk := faultdisk.Memory(t, "700m")
	_, v := vaultIn(t, filepath.Join(disk.Dir, "box"))
	b, err := v.create(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	disk.Fill(bitcoind.LimitsOf(v.network, 700_000_000).Alarm - 1_000_000)
	if b, err = v.verify(t.Context(), b.ID, "admin", ""); !errors.Is(err, backup.ErrNoRoom) || !b.Sound {
		t.Errorf("verify: %+v, %v", b, err)
	}
	if _, err := v.preview(t.Context(), b.ID); !errors.Is(err, backup.ErrNoRoom) {
		t.Errorf("preview: %v", err)
	}
	disk.Clear()
	if b, err = v.verify(t.Context(), b.ID, "admin", ""); err != nil || !b.Sound {
		t.Errorf("verify with room: %+v, %v", b, err)
	}
}

// What the node says of itself is no verdict on a backup.
func TestWalletVerdict(t *testing.T) {
	rpc := func(code int, text string) error {
		return &node.RPCError{Method: "restorewallet", Code: code, Message: text}
	}
	for _, test := range []struct {
		name   string
		err    error
		notice string // a part of it
		bad    bool
	}{
		{"it opens", nil, "", false},
		{"a damaged file", &copyError{rpc(node.ErrCodeWallet, "Wallet file verification failed. Data is not in recognized format.")}, "", true},
		{"older than what the node has kept", &copyError{rpc(node.ErrCodeWallet, "Prune: last wallet synchronisation goes beyond pruned data.")}, "older than the blocks", false},
		{"it reads for too long", &copyError{fmt.Errorf("call restorewallet: %w", context.DeadlineExceeded)}, "for too long", false},
		{"the node stops", &copyError{fmt.Errorf("call restorewallet: %w", node.ErrUnreachable)}, "", false},
		{"the trial before is still there", rpc(node.ErrCodeWallet, "Wallet is currently loading."), "currently loading", false},
	} {
		notice, err := walletVerdict(test.err)
		if (err != nil) != test.bad || (notice == "") != (test.notice == "") || !strings.Contains(notice, test.notice) {
			t.Errorf("%s: %q, %v", test.name, notice, err)
		}
	}
}

// A wallet that the node cannot open for a reason of its own is a notice in the history,
// also of a backup that is tried again, and pushes no backup out.
func TestBackupWithAnUntriedWallet(t *testing.T) {
	a, v := vaultOf(t)
	wallet := filepath.Join(t.TempDir(), "wallet.dat")
	schema := sqlite.Schema{
		FS:            fstest.MapFS{"0001_main.sql": &fstest.MapFile{Data: []byte(`CREATE TABLE main (key BLOB PRIMARY KEY, value BLOB NOT NULL);`)}},
		ApplicationID: int32(walletMark("regtest")),
	}
	change(t, wallet, schema)
	v.wallet = func(context.Context) (walletPart, error) {
		return walletPart{File: wallet, Name: "dmpool-regtest"}, nil
	}
	const pruned = "The node has pruned the blocks of its time."
	v.try = func(context.Context, string) (string, error) { return pruned, nil }
	b, err := v.create(t.Context(), "admin", "")
	if err != nil || !b.Sound || b.Notice != pruned {
		t.Fatalf("%+v, %v", b, err)
	}
	for range 2 {
		if b, err = v.verify(t.Context(), b.ID, "admin", ""); err != nil || !b.Sound || b.Notice != pruned {
			t.Errorf("%+v, %v", b, err)
		}
	}
	if s, err := a.BackupState(t.Context()); err != nil || !strings.Contains(s.Problem, pruned) {
		t.Errorf("%+v, %v", s, err)
	}
	v.try = nil
	if b, err = v.verify(t.Context(), b.ID, "admin", ""); err != nil || b.Notice != "" {
		t.Errorf("opened: %+v, %v", b, err)
	}
}
