// Package place knows the places that backups are kept in besides the box's own
// disk: a folder that the service may write to, a disk that somebody plugs in, and
// a folder of another machine that is reached over SFTP.
//
// What is laid down is encrypted already. A place is trusted with nothing more than
// to keep it: names that it tells are looked at before they are used, a list is only
// read up to a size, and no answer is waited for without an end.
//
// # Whole or not at all
//
// A file is written under a name that ends in .part, brought to the disk, and only
// then gets its own name. A disk that is pulled out, a connection that is cut and a
// full disk leave at most such a part, which no list shows and which the next file
// that is laid down sweeps away.
//
// # A disk that is not there
//
// Where a disk is mounted, a folder lies under it that would take the file on the
// box's own disk. [Disk] only works with the root of a mounted file system that is
// not the one of the data directory, and holds on to the folder that it has looked
// at: what is unmounted meanwhile answers with an error and never with the folder
// below.
//
// # The key of a server
//
// A server is known by its host key. [HostKey] asks for it without signing in; the
// operator compares its fingerprint with what the server itself says and confirms
// it once. From then on nothing is sent to a server that has another one.
package place
