// Package metrics writes the figures of a box for Prometheus.
//
// # Names
//
// Those without a prefix are the names that an earlier pool of this name and its
// relatives exported, so that dashboards made for them go on working; [Families] lists
// them with the labels that they had. Two of them are easily taken for something
// else. worker_shares_valid_total and user_shares_valid_total are sums of difficulties
// times 2^32, which is hashes: their rate is a hash rate. shares_accepted_total is a
// number of shares: its rate is no hash rate, whatever a panel of that time says; that
// of accepted_difficulty_total times 2^32 is one. Names with pool_ are ours.
//
// # Counters
//
// A counter of shares or work is what the databases have added up since the first
// share, so it goes on after a restart where it was, and the sums are whole numbers, so
// it never falls by a rounding error, which Prometheus would take for a new beginning.
// What is only counted in memory (failed sign-ins, questions to the node, ages of
// jobs, new tips) begins at zero with the process, as rate() expects.
//
// What is not known has no line at all.
//
// # How many lines
//
// A stranger may choose any number of worker names. So only the [MaxWorkers] workers
// are told one by one that did most in the last seven days, and as many addresses, and
// pool_workers_left_out says how many others there are. Sums are always those of all.
// Of blocks the newest [MaxBlocks] are told one by one.
//
// # What is not told
//
// Nothing that lets anybody in, and no name of a computer. Addresses are whole only
// where strangers may look them up anyway (the setting observer_pages); else they are
// cut to their ends. Workers' names are text of strangers: what is not UTF-8 is
// replaced, and the library escapes the rest.
package metrics
