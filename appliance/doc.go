// Package appliance is the box around the mine: it supervises the node, sets up
// and opens the wallet, keeps settings, operators and the audit log, runs the
// scheduled jobs, and says how everything is.
//
// [Appliance.Run] is the one place where lifetimes meet. Starting: databases,
// ports, node, wallet, pool, jobs. Stopping is the same backwards: miners are
// drained first, the node is stopped last, so that a block found in the last
// second still arrives there.
//
// What pages tell of mempool, fee rates, coins and the growth of the disk is asked for
// and measured every half minute (sounding.go, growth.go), in memory only.
//
// As a service of systemd the box takes the ports that were opened for it ([Sockets]),
// says in a sentence what it does, and feeds its watchdog as long as the ledger, the
// share log and Stratum answer (alive.go). While the clock of the machine is one that
// was never set, only the pages are there; they say what waits (clock.go).
//
// # What lies in the data directory
//
//	network                     the network of the next start, one word
//	lock                        held by the running daemon
//	setup.db, claim-code        of a box that is not set up yet; gone with its first start
//	setup.key                   what seals a typed passphrase in there; overwritten then
//	node-password               of a node that somebody else runs, 0600
//	drills/                     reports of fire drills, see package drill
//	core/                       versions of Bitcoin Core that the box has got, see package release
//	<network>/ledger.db         money, settings, operators, audit: precious
//	<network>/shares.db         the share log: large and replaceable
//	<network>/backups/          backups of the box; copies of both from before an upgrade, see upgrade.go
//	<network>/backup.key        what seals the passphrase of the backups, 0600
//	<network>/second-factor.key the same for the second factors, 0600
//	restore/, restore.json      while a backup takes its place, see restore.go
//	<network>/jobs.held         from one stop to the next start: the miners' last jobs
//	<network>/ballast           room held back for the databases; not for private chains
//	<network>/passphrase        the wallet's passphrase when the box unlocks by itself, 0600
//	<network>/node/<chain>/     the node's own directory with bitcoin.conf
//	…/snapshot/                 a snapshot that the node has yet to read
//	…/wallet-backups/           in there: one copy of the wallet for each of seven days
//
// Each network has its own folder, so switching never mixes or deletes
// anything.
//
// # Upgrades and the way back
//
// A version that writes the books in another way copies both databases first; when
// there is no room for that, nothing is changed. The newest two copies are kept, and
// `dmpool rollback` puts one back ([WaysBack], [Rollback]): with the pool stopped, what
// was there put aside, and only what the older version cannot read. It tells what
// would be lost, and does not go behind a payment of the pool unless it is told to;
// payouts freeze then by themselves, as after any old backup. Both survive a power
// cut at every moment. Commands beside the daemon change no books of an older version.
//
// # Backups
//
// A backup is one encrypted file of all that makes a fresh box this box (package backup;
// backup_parts.go says what is in it). One is made each day and on demand, and is good
// when it could be restored to a scratch place: the databases are whole, the ledger adds
// up when it is replayed from its first booking on, and the node opens the wallet
// ([Appliance.CreateBackup]). History and verdicts are in the ledger's file; 7 daily, 4
// weekly and 12 monthly ones are kept, and one that is not good pushes out no good one.
// [Appliance.BackupState] tells how that is going in two sentences.
//
// [OpenRestoration] and [Wizard.ReceiveBackup] are the way back: the backup is unpacked
// beside what is there, looked at, and takes its place by renames that a power cut cannot
// leave half done; what was there is put aside. The node brings the wallet back after
// the start. A restored ledger is older than the chain may be, and nobody here can know
// of a payout that was sent since and is in no block: so when miners are owed something,
// payouts are frozen until a person has said that there was none (payout.FreezeOld).
//
// Removing the package keeps all data; [Purge] is `dmpool purge-data`.
//
// # The first set-up
//
// A box without an operator is a [Wizard]: it has no network yet, so none of its
// databases is open. It keeps the answers, a row for each step, in setup.db, and
// ends in [SetUp], which the command line runs with a file. That there is an operator is
// the whole state: no flag could open the set-up again. A second factor that was
// added there becomes the operator's with the rest. [Wizard.Open] makes the
// [Appliance] then, in the same process and with the same open ports.
//
// # Figures
//
// [Appliance.Metrics] is the box in figures for a monitor, [Appliance.Samples] the last six
// hours of the machine, [Appliance.Health] what is wrong and what to do.
//
// [Appliance.Health] is the one place that says what is wrong and what to do: pages, API,
// figures and `dmpool doctor` all tell what it says. [Examine] is the doctor's look from
// outside: at the files itself, and of what only the running box knows at what that
// leaves in health.json every half minute.
//
// # Networks and nodes
//
// The private chains, practice and regtest, are ready at once. On a public one
// the node has to get there first: [NodeStatus] tells in words how far it is,
// and miners stay connected without work until it has the chain that its peers
// have. A node that follows another chain is refused on every network: it gets
// no job out, no wallet, and no payment, and the pages say why (package
// pool/node/guard).
//
// A damaged node is repaired once without anybody; a second time within thirty
// days a person is asked ([Appliance.RepairNode]). It is stopped before its disk
// is full, and a clock that is wrong is told of (package bitcoind).
//
// A node that is at the start of its chain can begin from a snapshot of the coins
// instead ([Appliance.LoadSnapshot]): a file that somebody brings, or that another
// node on this machine writes. The box looks at its network, its block and every
// coin (package snapshot), copies it to the node, which compares the hash over all
// of them with the one in its own program, and tells how far the history is that
// the node verifies afterwards. Mining does not wait for that.
//
// With [Config.Service], on an installed box, the node is a unit of systemd under a
// user of its own ([bitcoind.Unit]): its files are then in [bitcoind.Places] and
// not in the data directory, the folder core belongs to root, and the pool asks for
// what it may not do itself. The node runs on while the pool is away.
//
// With [Config.External] the box has no node of its own and uses one that somebody
// else runs: it asks what that node lets it do, says in words what is missing, and
// waits when it is away. It never starts, stops or configures it. Before a box
// downloads a chain it looks whether a node runs on the machine already, and says so.
//
// # Miners
//
// A miner is whoever knows a payout address; there is nothing to register. What the
// box itself says about one, bans, labels, and links to its page that do not tell the
// address, is the operators' (bans.go, marks.go, links.go), each change with its row
// in the audit log.
//
// # Alerts
//
// Every half minute, and when something has happened, the box looks at everything
// (lookout.go) and shows it to the bell of package alert, which says what is worth an
// alert and sends it to whom the operators have named. Nothing is sent to anybody else.
//
// # Miners in the home network
//
// On an operator's click, and never else, the box searches one of its own private
// networks for miners (package device, [Appliance.ScanDevices]). Those that an operator
// adds are asked every 45 seconds, more and more seldom when they do not answer. Where
// their firmware lets it, the box tells them to mine here ([Appliance.SetDevice]): what
// they were told before is in ledger.db, with its row in the audit log, before anything
// is changed, and leaves it only when the miner has said that it is told that again
// ([Appliance.RestoreDevice]). Logins of miners, and passwords of their pools, are kept
// nowhere. What a miner uses while it mines here is added up by the hour; it is set
// against what an account was credited only where everything that mined for the account
// was measured ([Appliance.WorkerPower]).
//
// # The wallet
//
// Its keys are the node's own, made at the first start, or come from twelve words
// that one page shows once and then asks for: only then is the wallet made, so
// that a set-up that stops half-way leaves nothing behind. The words are kept
// nowhere; package seed makes the keys of them. The wallet is encrypted from its
// first moment, is loaded by a call and never by the node's own start, and is
// copied every night, the copy being opened to see that it is whole. Once it can be
// restored, from words or from a copy, mining does not wait for it any more. A
// restored wallet gets a name of its own; what is broken stays where it is. A copy
// that somebody has taken away can be uploaded ([Appliance.RestoreUpload]); it is
// looked at before the node sees it. Until the way back was tried, the wallet's
// health says so from the seventh day on, and again after half a year.
//
// Its passphrase is where the operator wants it ([Appliance.ChangeUnlock]): in memory,
// typed after each start; in a file; or in a credential of the service named
// wallet-passphrase (LoadCredentialEncrypted= in the unit), which is read from
// $CREDENTIALS_DIRECTORY, wins over the file, and is never written by the box.
//
// A pool whose blocks pay each miner, and nothing to the pool, needs no wallet, and
// its work waits for none.
package appliance
