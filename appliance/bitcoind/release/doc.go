// Package release gets Bitcoin Core onto the box: it knows which files may be
// used, fetches one or takes it from a person, checks it, unpacks it beside
// what is there, and switches to it and back. It runs no program and knows no
// node; whoever uses it says how a bitcoind is asked for its version.
//
// # What is trusted
//
// The hash of a file, compiled into this program ([Pins]), is the gate. The
// network, the server and the person at the browser are not trusted with
// anything: whatever arrives is hashed as a whole before a byte of it is
// unpacked. A version that is newer than the pins passes another gate: its list
// of hashes has to be signed by enough of the people who build Bitcoin Core and
// whose keys came with this program ([Keyring.Vouch]). No key is ever fetched.
//
// # What lies in a folder
//
//	download/bitcoin-31.1-….part    what has arrived so far
//	bitcoin-31.1/bin/bitcoind       a version, whole or not there at all
//	bitcoin-31.1/release.json       what it is and the hash of each of its files
//	current → bitcoin-31.1          the version in use; the one before stays, to go back to
//	trial.json                      while the current one has yet to prove itself
//
// Each of them appears by a rename after everything below it is on the disk, so
// a power cut leaves either the old state or the new one. One [Folder] at a time
// works in it; its owner sees to that.
//
// # When the folder is somebody else's
//
// Who may write in the folder replaces the program that holds the wallet. On an
// installed box it belongs to root, and the pool has only a [Guarded] view of it: it
// fetches the files, lays them beside a [Wish], and the owner checks them once more
// before it unpacks them ([Folder.Grant]).
package release
