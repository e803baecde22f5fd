// Package node talks to bitcoind, and is the only package that does.
//
// A [Client] is a thin, typed door to the JSON-RPC server: one method for each call that the pool makes,
// every amount an exact number of satoshis, every hash a chainhash.Hash, every call with a deadline. It keeps
// several connections open, so that a call which waits (the long poll below) never delays one that must not
// (submitblock). It repeats nothing by itself except what a second delivery cannot change.
//
// A [Source] answers the question "what should the miners work on now?". Three independent watchers tell it that
// the answer may have changed:
//
//	getblocktemplate long poll (BIP 22)  ─┐
//	ZMQ hashblock, a hint that may be lost ├─► refresh, one at a time ─► Updates, latest wins
//	getbestblockhash every 250 ms        ─┘
//
// and a timer asks for a fresh one at least every 30 seconds even if nothing happened. No template is asked for before
// [SyncOf] calls the node ready; on the public test chains bitcoind would give one much earlier.
//
// # The right chain
//
// Before a client asks a node for work, or makes a call that could let money go, it looks whether the node follows the
// chain that the pool is for, see package guard. It looks again whenever contact was lost, because who answers then may
// be another program. The errors of a node that was refused are a [*guard.RefusedError].
//
// # Nodes of somebody else
//
// [Client.Abilities] tells what a node lets the pool do, without doing any of it, and [AskZMQ] lets a source find the
// publisher by itself. Without https:// no connection leaves the machine and its private network.
//
// # Errors
//
// What the node itself answers is an [*RPCError] with the code of Bitcoin Core's rpc/protocol.h. Everything else is
// one of the sentinels [ErrStarting], [ErrUnreachable], [ErrUnauthorized], [ErrForbidden], [ErrCookie], [ErrExposed] and
// [ErrBadAnswer]. [Unavailable] joins the
// errors which say nothing about the request, because nobody who knows was reached: money never moves on those.
// [Sentence] turns any of them into words for an operator.
//
// No error and no log line of this package contains a passphrase, a cookie or a password.
package node
