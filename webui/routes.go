package webui

import (
	"net/http"
	"strings"
)

// access says who may use a route. The zero value is no level at all, so a
// route that forgets its level is refused when the table is built.
type access int

const (
	anyone    access = iota + 1 // no session needed, and none is ever started
	readers                     // an operator, or a token of theirs that may only look; API, GET only
	operators                   // a signed-in operator, or on the API a token of a login
	public                      // the public API: as anyone, and also on its own port, see PublicAPI
	entrance                    // no session needed, since one begins here: from where operators may come
	monitors                    // as readers, and by a setting the programs of this machine, see metrics.go; GET only
)

// route is one line of the surface. Early routes answer before anybody looks who
// asks; a route without a limit must be one of them. The set-up has a table of
// its own, see setup.go.
type route struct {
	pattern string
	access  access
	limit   *limiter
	early   bool
	handle  handler
}

// routes is everything that this server answers: the pages here, and what programs
// ask in apiRoutes. Nothing is registered anywhere else, and a test walks this table
// without a session.
func (s *site) routes() []route {
	const early = true
	desk, page, login, none := s.limits.desk, s.limits.pages, s.limits.login, s.limits.none

	return append(s.apiRoutes(), []route{
		{"GET /{$}", operators, desk, false, s.shared("dashboard", s.dashboard)},
		{"GET /workers", operators, desk, false, s.shared("workers", s.workers)},
		{"GET /workers.csv", operators, desk, false, s.workersCSV},
		{"GET /workers/{address}/{worker}", operators, desk, false, s.shared("worker", s.worker)},
		{"POST /workers/{address}/{worker}", operators, desk, false, s.markWorker},
		{"GET /workers/{address}/{worker}/hashrate.csv", operators, desk, false, s.workerSeries},
		{"GET /bans", operators, desk, false, s.page("bans", s.bans)},
		{"POST /bans", operators, desk, false, s.ban},
		{"POST /bans/lift", operators, desk, false, s.liftBan},
		{"GET /devices", operators, desk, false, s.page("devices", s.devices)},
		{"POST /devices", operators, desk, false, s.addDevices},
		{"POST /devices/scan", operators, desk, false, s.scanDevices},
		{"GET /devices/{id}", operators, desk, false, s.page("device", s.device)},
		{"POST /devices/{id}/set", operators, login, false, s.changeDevice(deviceSet)},
		{"POST /devices/{id}/restore", operators, login, false, s.changeDevice(deviceRestore)},
		{"POST /devices/{id}/forget", operators, desk, false, s.forgetDevice},
		{"GET /blocks", operators, desk, false, s.shared("blocks", s.blocks)},
		{"GET /blocks/{hash}", operators, desk, false, s.shared("block", s.block)},
		{"GET /payouts", operators, desk, false, s.shared("payouts", s.payouts)},
		{"POST /payouts", operators, desk, false, s.draftPayout},
		{"GET /payouts/{id}", operators, desk, false, s.page("payout", s.payout)},
		{"POST /payouts/{id}/approve", operators, login, false, s.approvePayout},
		{"POST /payouts/{id}/cancel", operators, desk, false, s.cancelPayout},
		{"POST /payouts/{id}/bump", operators, login, false, s.changePayout(actionBump)},
		{"POST /payouts/{id}/sponsor", operators, login, false, s.changePayout(actionSponsor)},
		{"POST /payouts/{id}/take-back", operators, login, false, s.changePayout(actionTakeBack)},
		{"POST /payouts/{id}/give-up", operators, login, false, s.changePayout(actionGiveUp)},
		{"POST /payouts/{id}/export", operators, login, false, s.changePayout(actionExport)},
		{"GET /payouts/{id}/psbt", operators, desk, false, s.exported},
		{"POST /payouts/{id}/import", operators, login, false, s.importPayout},
		{"GET /accounts/{address}", operators, desk, false, s.page("account", s.account)},
		{"POST /accounts/{address}", operators, login, false, s.setAccountRule},
		{"GET /accounts/{address}/links", operators, desk, false, s.page("links", s.links)},
		{"POST /accounts/{address}/links", operators, desk, false, s.makeLink},
		{"POST /accounts/{address}/links/{id}/revoke", operators, desk, false, s.revokeLink},
		{"POST /accounts/{address}/name", operators, desk, false, s.nameAddress},
		{"POST /accounts/{address}/adjust", operators, login, false, s.adjustAccount},
		{"GET /books", operators, desk, false, s.page("books", s.books)},
		{"POST /books/lift", operators, login, false, s.correctBooks(true)},
		{"POST /books/surplus", operators, login, false, s.correctBooks(false)},
		{"POST /wallet/unlock", operators, login, false, s.unlockWallet},
		{"GET /wallet", operators, desk, false, s.page("wallet", s.wallet)},
		{"POST /wallet/words", operators, login, false, s.drawWords()},
		{"POST /wallet/confirm", operators, login, false, s.changeWallet(walletConfirm)},
		{"POST /wallet/test", operators, login, false, s.changeWallet(walletTest)},
		{"POST /wallet/restore", operators, login, false, s.changeWallet(walletWords)},
		{"POST /wallet/revive", operators, login, false, s.changeWallet(walletCopy)},
		{"POST " + walletUploadPath, operators, login, false, s.uploadWallet},
		{"POST /wallet/keep", operators, login, false, s.changeWallet(walletKeep)},
		{"POST /wallet/limit", operators, login, false, s.changeWallet(walletLimit)},
		{"POST /wallet/sweep", operators, desk, false, s.sweep},
		{"POST /wallet/copy", operators, login, false, s.takeCopy()},
		{"GET /hashrate.csv", operators, desk, false, s.poolSeries},
		{"GET /ledger.csv", operators, desk, false, s.poolCSV},
		{"GET /alerts", operators, desk, false, s.page("alerts", s.alertsPage)},
		{"POST /alerts/dismiss", operators, desk, false, s.dismissAlert},
		{"GET /alerts/channels", operators, desk, false, s.page("channels", s.channels)},
		{"POST /alerts/policy", operators, login, false, s.setPolicy},
		{"GET /alerts/channels/{id}", operators, desk, false, s.plain("channel", s.channel)},
		{"POST /alerts/channels/{id}", operators, login, false, s.setChannel},
		{"POST /alerts/channels/{id}/test", operators, login, false, s.testChannel},
		{"POST /alerts/channels/{id}/remove", operators, login, false, s.removeChannel},
		{"GET /alerts/rules", operators, desk, false, s.plain("alert_rules", s.alertRules)},
		{"GET /alerts/rules/{key}", operators, desk, false, s.plain("alert_rule", s.alertRule)},
		{"POST /alerts/rules/{key}", operators, desk, false, s.setAlertRule},
		{"POST /alerts/rules/{key}/reset", operators, desk, false, s.resetAlertRule},
		{"GET /node", operators, desk, false, s.page("node", s.node)},
		{"POST /node/test", operators, desk, false, s.tryNode},
		{"POST /node/repair", operators, login, false, s.repairNode},
		{"POST /node/snapshot", operators, login, false, s.loadSnapshot},
		{"POST /node/snapshot/node", operators, login, false, s.loadSnapshotOf},
		{"POST /node/snapshot/stop", operators, desk, false, s.stopSnapshot},
		{"POST /node/core", operators, login, false, s.getCore},
		{"POST /node/core/stop", operators, desk, false, s.stopCore},
		{"POST " + uploadPath, operators, login, false, s.uploadCore},
		{"GET /health", operators, desk, false, s.shared("health", s.healthPage)},
		{"GET /monitoring", operators, desk, false, s.page("monitoring", s.monitoring)},
		{"GET /monitoring.csv", operators, desk, false, s.monitoringCSV},
		{"GET /logs", operators, desk, false, s.page("logs", s.logs)},
		{"POST /logs/level", operators, desk, false, s.setLogLevel},
		{"GET /logs.txt", operators, desk, false, s.logFile},
		{"GET /about", operators, desk, false, s.page("about", s.about)},
		{"GET /support", operators, desk, false, s.plain("support", s.support)},
		{"POST /support", operators, desk, false, s.sendSupport},
		{"GET /certificate", operators, desk, false, s.page("certificate", s.certificatePage)},
		{"POST /certificate", operators, login, false, s.changeCertificate(certificateImport)},
		{"POST /certificate/own", operators, login, false, s.changeCertificate(certificateOwn)},
		{"GET /about/licences.txt", anyone, page, early, s.licences},
		{"GET " + pageCertificatePath, anyone, page, early, s.pageCertificate},
		{"GET " + stratumCertificatePath, anyone, page, early, s.stratumCertificate},
		{"GET /jobs", operators, desk, false, s.page("jobs", s.jobs)},
		{"POST /jobs/{name}/run", operators, desk, false, s.runJob},
		{"GET /drill", operators, desk, false, s.page("drill", s.drills)},
		{"POST /drill", operators, desk, false, s.startDrill},
		{"GET /drill/{id}", operators, desk, false, s.plain("report", s.drill)},
		{"GET /drill/file/{file}", operators, desk, false, s.drillFile},
		{"GET /backup", operators, desk, false, s.page("backup", s.backupPage)},
		{"POST /backup", operators, desk, false, s.orderBackup},
		{"GET /backup/{id}", operators, desk, false, s.page("backup_one", s.backupOne)},
		{"POST /backup/{id}/download", operators, login, false, s.ofBackup(backupDownload, s.downloadBackup)},
		{"POST /backup/{id}/verify", operators, login, false, s.ofBackup(backupVerify, s.verifyBackup)},
		{"POST /backup/{id}/preview", operators, login, false, s.ofBackup(backupPreview, s.previewBackup)},
		{"POST /backup/{id}/remove", operators, login, false, s.ofBackup(backupRemove, s.removeBackup)},
		{"GET /backup/places", operators, desk, false, s.plain("backup_places", s.backupPlaces)},
		{"POST /backup/places/time", operators, login, false, s.changePlan(planTime)},
		{"POST /backup/places/passphrase", operators, login, false, s.changePlan(planPassphrase)},
		{"POST /backup/places/folder", operators, login, false, s.changePlan(planFolder)},
		{"POST /backup/places/disk", operators, login, false, s.changePlan(planDisk)},
		{"POST /backup/places/server", operators, login, false, s.prepareServer},
		{"POST /backup/places/server/confirm", operators, login, false, s.confirmServer},
		{"POST /backup/places/no-server", operators, login, false, s.changePlan(planNoServer)},
		{"POST /backup/places/{place}/try", operators, login, false, s.tryPlace},
		{"GET /settings", operators, desk, false, s.page("settings", s.settings)},
		{"POST /settings", operators, login, false, s.changeSettings},
		{"GET /audit", operators, desk, false, s.page("audit", s.audit)},
		{"GET /audit.csv", operators, desk, false, s.auditCSV},
		{"GET /audit.jsonl", operators, desk, false, s.auditJSON},
		{"GET /people", operators, desk, false, s.page("people", s.people)},
		{"POST /people", operators, login, false, s.changePeople(personAdd)},
		{"POST /people/password", operators, login, false, s.changePeople(personPassword)},
		{"POST /people/{id}/remove", operators, login, false, s.changePeople(personRemove)},
		{"GET /sessions", operators, desk, false, s.page("sessions", s.signIns)},
		{"POST /sessions/end", operators, desk, false, s.endSession},
		{"POST /sessions/others", operators, desk, false, s.endOthers},
		{"POST /sessions/stay", operators, desk, false, s.stay},
		{"GET /factor", operators, desk, false, s.offerFactor},
		{"POST /factor", operators, login, false, s.beginFactor},
		{"POST /factor/confirm", operators, login, false, s.confirmFactor},
		{"POST /factor/file", operators, desk, false, s.codesFile},
		{"POST /factor/kept", operators, login, false, s.keptCodes},
		{"POST /factor/remove", operators, login, false, s.removeFactor},
		{"POST /factor/codes", operators, login, false, s.renewCodes},
		{"POST /tokens", operators, login, false, s.makeToken},
		{"POST /tokens/{id}/revoke", operators, desk, false, s.revokeToken},
		{"POST /logout", operators, desk, false, s.logout},

		{"GET /login", entrance, page, false, s.showLogin},
		{"POST /login", entrance, login, false, s.login},
		{"POST /login/code", entrance, login, false, s.loginCode},
		{"POST /look", anyone, page, early, s.changeLook},
		{"GET /help", anyone, page, false, s.plain("help", s.help)},
		{"GET /reference", anyone, page, false, s.plain("reference", s.reference)},
		{"GET /connect", anyone, page, false, s.page("connect", s.connect)},
		{"GET /observer", anyone, page, false, s.observing(s.findObserver)},
		{"GET /observer/{address}", anyone, page, false, s.observing(s.shared("observer", s.observer))},
		{"GET " + privatePath + "{token}", anyone, page, false, s.observing(s.shared("observer", s.private))},
		{"GET /observer/{address}/why", anyone, page, false, s.observing(s.plain("why", s.why))},
		{"GET " + privatePath + "{token}/why", anyone, page, false, s.observing(s.plain("why", s.privateWhy))},
		{"GET " + privatePath + "{token}/hashrate.csv", anyone, page, false, s.observing(s.privateSeries)},
		{"GET /observer/{address}/blocks/{hash}", anyone, page, false, s.observing(s.plain("statement", s.statement))},
		{"GET /observer/{address}/payouts/{id}", anyone, page, false, s.observing(s.plain("payment", s.payment))},
		{"GET /observer/{address}/hashrate.csv", anyone, page, false, s.observing(s.observerSeries)},
		{"GET /observer/{address}/statement.csv", anyone, page, false, s.observing(s.accountCSV)},

		{"GET /static/{hash}/{file}", anyone, none, early, s.static},
		{"GET /favicon.ico", anyone, none, early, s.favicon},
		{"GET /robots.txt", anyone, none, early, s.robots},
	}...)
}

// register builds the mux of all routes.
func (s *site) register() *http.ServeMux {
	return s.mux(s.routes(), func(route) bool { return true })
}

// mux builds a mux from those lines of the table that are wanted. The last pattern
// catches what no route matched, so that even a 404 has our headers and our words.
func (s *site) mux(routes []route, wanted func(route) bool) *http.ServeMux {
	mux := s.table(routes, wanted)
	mux.HandleFunc("/", s.unmatched(mux))
	return mux
}

// table registers the lines that are wanted.
func (s *site) table(routes []route, wanted func(route) bool) *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range routes {
		if rt.access < anyone || rt.access > monitors {
			panic("webui: route without an access level: " + rt.pattern)
		}
		if rt.limit == nil && !rt.early {
			panic("webui: route that looks up sessions without a limit: " + rt.pattern)
		}
		if rt.access == readers && !strings.HasPrefix(rt.pattern, "GET /api/") {
			panic("webui: route for readers that is more than looking: " + rt.pattern)
		}
		if rt.access == monitors && !strings.HasPrefix(rt.pattern, "GET ") {
			panic("webui: route for monitors that is more than looking: " + rt.pattern)
		}
		if wanted(rt) {
			mux.Handle(rt.pattern, s.serve(rt))
		}
	}
	return mux
}
