// Package seed makes the keys of a wallet out of twelve words that a person can
// write down, and the same keys again out of the same words. It is pure: it asks
// nobody, keeps nothing, and writes nothing anywhere.
//
//	words       12 to 24 of the English list, with a checksum    BIP 39
//	  └ seed    64 bytes, PBKDF2 over the words                  BIP 39
//	      └ m   the master key; its fingerprint names the wallet BIP 32
//	          └ m/84h/coin h/0h   the account                    BIP 84
//	              ├ /0/*  addresses to be paid at                wpkh(…)
//	              └ /1/*  addresses for change                   wpkh(…)
//
// Any wallet program that knows BIP 84 makes the same addresses of the same
// words, so that nobody needs this program to get at the coins.
//
// Two choices want a reason. The words are ours, about a hundred lines over the
// standard library's PBKDF2, because the package that most of Go used for them is
// gone from its place and its forks are nobody's in particular, while the format
// has not moved since 2013 and has vectors for every case. The tree of keys is
// btcd's hdkeychain, of the family that this program reads blocks with already.
//
// # Secrets
//
// [Words] and [Account] can be erased, and their owner does so as soon as they have
// served. That is the best that can be done, and not a promise: strings that went
// into a request, or that the runtime has copied, stay in memory until it is used
// for something else. Neither type prints itself.
package seed
