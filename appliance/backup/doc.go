// Package backup knows what a backup of a box is: one file, encrypted by a
// passphrase, that holds everything which makes a fresh box this box.
//
// A backup is an age file (age-encryption.org/v1) whose only recipient is a
// passphrase (scrypt). Inside is a tar archive:
//
//	manifest.json     what this is: format, network, time, program, schemas, and the
//	                  list of all files that follow with their sizes and SHA-256
//	ledger.db         the files, in the order of the list
//	shares.db
//	…
//
// Nothing is compressed, so a hostile file cannot grow while it is read: what comes
// out is never larger than what went in. Names are words without a slash, and what a
// name means, and where its file belongs, only the box knows. Every byte is
// authenticated by age as it is read; the end is too, so that a copy that was cut off
// shows. With `age --decrypt` and tar a backup can be opened without this program.
//
// [Write] makes one, [Open] reads one, both as streams: no more than a chunk is in
// memory, besides what scrypt takes. What [Open] and its [Archive] refuse is a sentence
// with the next step, one of the Err values of this package.
//
// A [Place] keeps backups: a folder here ([Folder]), a disk, another machine. [Expired]
// says which of them have had their time.
package backup
