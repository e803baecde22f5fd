// Package drill is what a box knows of its fire drills: their reports, where these are
// kept, how one is started beside the pool, and what it may take of the machine. What
// a drill does is package rehearsal.
//
// # What lies in the folder
//
//	lock              held by the drill that runs: there is one at a time
//	running.json      how far that one is
//	scratch/          its throw-away box; gone when it ends
//	20261123T090500Z.json, .txt   the report of one that has ended; the last 20 are kept
//
// Whoever gets the lock clears up first: what a drill has left that was cut off, by a
// power cut for instance, becomes its report, and its box is deleted ([Folder.Sweep]).
//
// # Beside the pool
//
// A drill is a process of its own ([Start]): should it fall, the pool stays. It ends
// when the pool does, whatever way that ends, and its node ends with it. It runs when
// nobody else wants the processor or the disk ([StandBack]), has ports of its own on
// this machine alone, and begins only where there is room for it ([Room]).
package drill
