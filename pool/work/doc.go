// Package work turns what the node offers into what miners hash, and judges
// what they send back. It is pure: no input or output, no clock, no
// goroutine. It speaks no protocol either; a Stratum V1 session and a
// Stratum V2 channel can both sit on top of it.
//
// # From template to job
//
// [ParseTemplate] decodes and checks the result of getblocktemplate (BIP22,
// BIP23, BIP145). The transactions are read by a scanner and a walker of their
// own, which accept only what encoding/json and a full decoder accept. [NewJob]
// adds what only the pool knows: who is paid ([Layout]) and a number that makes
// the job unlike any other. The coinbase transaction is cut where the miner's
// extranonce goes, so that a miner needs the two parts and the merkle branches
// and no transaction at all:
//
//	Coinbase1 | extranonce1 (4) | extranonce2 (8) | Coinbase2
//
//	coinbase txid ─┐
//	     branch[0] ┴─ hash ─┐
//	            branch[1] ──┴─ hash ─ … ─ merkle root, bytes 36 to 67 of the header
//
// [Witness] reads a finished job with code of its own, before anybody spends
// energy on it.
//
// # From solution to verdict
//
// A [Solution] is the miner's choice: extranonce, version, time, nonce.
// [Job.Prove] hashes it and says whether it is a block. The caller hands a
// block to the node at once, whatever the share's verdict will be, and only
// then asks [Job.Judge].
//
// # Numbers
//
// A hash is an unsigned 256-bit integer in little-endian bytes
// ([chainhash.Hash]); a [Target] is one in big-endian bytes; a hash meets a
// target when it is not greater. Everything is decided on these integers.
// Share difficulty is a float64 on the wire only: it enters through its exact
// rational value, 0xffff·2^208 / difficulty, rounded down. Work, the number of
// hashes expected for a target, is floor(2^256 / (target+1)).
package work
