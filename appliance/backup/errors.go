package backup

import "errors"

// Why a file is not taken. Each is a sentence for the person who brings it.
var (
	// ErrNotBackup says that the file is something else.
	ErrNotBackup = errors.New("this file is no backup of DMPool; choose one whose name ends in .age")
	// ErrPassphrase says that the passphrase does not open the file.
	ErrPassphrase = errors.New("the passphrase does not open this backup; type the one that was set when the backup was made")
	// ErrCostly says that to try the passphrase would take more memory than a box has.
	ErrCostly = errors.New("the passphrase of this file was made too costly to try; it was not made by DMPool. Decrypt it with age and encrypt it again")
	// ErrTruncated says that the end is missing.
	ErrTruncated = errors.New("the backup ends too early: it was not copied completely. Copy it again from where it is kept, or take another one")
	// ErrAltered says that it is not what was written.
	ErrAltered = errors.New("the backup was altered or damaged after it was made; copy it again from where it is kept, or take another one")
	// ErrNewer says that this program is too old to read it.
	ErrNewer = errors.New("the backup was made by a newer version of DMPool; install that version, then restore")
	// ErrNoRoom says that the disk is too small for what is in it.
	ErrNoRoom = errors.New("there is not enough room on the disk for what is in this backup; make room and try again")
)

// Why a place does not do what it is asked for.
var (
	// ErrMissing says that there is no backup of that name in the place.
	ErrMissing = errors.New("there is no backup of this name any more")
	// ErrAway says that the place is not there at the moment: a disk that was taken
	// out, a machine that does not answer. Nothing is known about what is in it.
	ErrAway = errors.New("the place of the backups is not there")
)
