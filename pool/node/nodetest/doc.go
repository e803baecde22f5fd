// Package nodetest is a bitcoind for unit tests: an HTTP server inside the test that speaks JSON-RPC 2.0, keeps a tiny
// block chain, hands out templates and takes blocks.
//
//	fake := nodetest.New(t)
//	client := node.New(node.Config{URL: fake.URL, CookieFile: fake.CookieFile})
//	fake.Mine(101)                          // blocks appear
//	fake.Fail("submitblock", 1, -28, "…")   // the next call fails
//	fake.Handle("getbalances", func(nodetest.Call) (any, error) { … })
//
// It is honest about its limits. The rules that it checks are those a pool can get wrong: previous block, target and
// proof of work, merkle root, height push, witness commitment, and how much a coinbase takes. It does not run
// scripts, knows no coins, and has no mempool but the transactions that a test adds to the templates; what a
// reorganisation takes out of the chain does not return to it. Every block has regtest's difficulty, there is no
// median time, no size limit, no peer and no wallet: wallet calls are answered by handlers of the test, and are
// "Method not found" otherwise. A long poll wakes for a new tip only. What the real one does is tested against the real one.
package nodetest
