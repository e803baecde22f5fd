// Package device finds the miners in the home network and talks with them: it reads
// what they do and whom they mine for, and changes the latter where their firmware lets
// it. It keeps nothing; what a miner was told before is the caller's to keep.
//
// # Who is asked
//
// Only private IPv4 addresses (RFC 1918), and never a name: there is no look-up that
// somebody could answer falsely. Link-local addresses are left out, since a miner that
// got no address from a router reaches no pool. A [LAN.Scan] looks at one subnet of this
// machine, at most a /22 of it, at 32 addresses at a time. Redirects are not followed
// and no proxy is asked. Nothing is asked unless somebody calls a function here.
//
// # What is spoken
//
//	AxeOS       HTTP, port 80: GET /api/system/info, PATCH /api/system, POST /api/system/restart
//	            (Bitaxe, and firmware made from it such as NerdQAxe's)
//	cgminer     TCP, port 4028: one command as JSON, one answer that ends with a NUL or
//	            with the connection; version, summary, pools, devs, stats
//	Antminer    the same with its own words, in JSON that is often broken
//	WhatsMiner  the same, but whoever writes must show a token made of a password
//	Avalon      the same, with its figures in one text, Key[value]; setpool takes the
//	            user name and the password of its own page
//
// # What an answer may be
//
// Anybody in the network can answer. An answer has a time in which it must be whole, at
// most 64 KiB, and becomes a [Device] only if it is of one of these kinds. A figure that
// no miner has is not known; text is cut, and what cannot be seen is taken out. What is
// kept to be put back is kept as it came, or the pool is not changed at all.
//
// # The way back
//
// No API tells the password that a miner shows its pool. AxeOS leaves it alone, and so
// does this package: a change there does not touch it, so the way back is exact. cgminer
// keeps the old pool in its list. On an Avalon the old pool's password is overwritten
// and has to be typed to put the pool back.
package device
