package webui

// apiRoutes is everything that programs may ask.
func (s *site) apiRoutes() []route {
	const early = true
	api, login := s.limits.api, s.limits.login

	return []route{
		{"GET /api/health", public, api, early, s.apiHealth},
		{"GET /api/observer/{address}", public, api, false, s.observing(s.json(s.apiObserver))},
		{"GET /api/observer/{address}/shares", public, api, false, s.observing(s.json(s.apiShares))},
		{"GET /api/observer/{address}/payouts", public, api, false, s.observing(s.json(s.apiPayouts))},
		{"GET /api/v1/blocks/{hash}/split.json", public, api, false, s.splitJSON},
		{"GET /api/openapi.yaml", public, api, false, s.describeAPI},

		{"POST /api/auth/login", entrance, login, false, s.apiLogin},

		{"GET /api/payments/stats", readers, api, false, s.deskJSON(s.apiPaymentStats)},
		{"GET /api/payments/balances", readers, api, false, s.deskJSON(s.apiBalances)},
		{"GET /api/payments/balances/{address}", readers, api, false, s.deskJSON(s.apiBalance)},
		{"GET /api/payments/payouts", readers, api, false, s.deskJSON(s.apiPayments)},
		{"GET /api/payments/payouts/{address}", readers, api, false, s.deskJSON(s.apiPaymentsTo)},
		{"GET /api/payments/payouts/id/{id}", readers, api, false, s.deskJSON(s.apiPayment)},
		{"GET /api/payments/config", readers, api, false, s.deskJSON(s.apiConfig)},
		{"POST /api/payments/config", operators, login, false, s.command(withPassword, s.doConfig)},
		{"POST /api/payments/create", operators, api, false, s.command(withoutPassword, s.doCreate)},
		{"POST /api/payments/broadcast/{id}", operators, login, false, s.command(withPassword, s.doBroadcast)},
		{"POST /api/payments/cancel/{id}", operators, api, false, s.command(withoutPassword, s.doCancel)},

		{"GET /api/observer/{address}/hashrate", public, api, false, s.observing(s.json(s.apiHashrate))},
		{"GET /api/v1/pool", public, api, false, s.json(s.apiPool)},
		{"GET /api/v1/blocks", public, api, false, s.json(s.apiBlocks)},
		{"GET /api/v1/blocks/{hash}", public, api, false, s.json(s.apiBlock)},
		{"GET /api/v1/workers", readers, api, false, s.deskJSON(s.apiWorkers)},
		{"GET /api/v1/bans", readers, api, false, s.deskJSON(s.apiBans)},
		{"GET /api/v1/devices", readers, api, false, s.deskJSON(s.apiDevices)},
		{"GET /api/v1/node", readers, api, false, s.deskJSON(s.apiNode)},
		{"GET /api/v1/drills", readers, api, false, s.deskJSON(s.apiDrills)},
		{"POST /api/v1/drills", operators, api, false, s.command(withoutPassword, s.doDrill)},

		{"GET /api/pool", public, api, false, s.compatible(s.json(s.ppPool))},
		{"GET /api/network", public, api, false, s.compatible(s.json(s.ppNetwork))},
		{"GET /api/info", public, api, false, s.compatible(s.json(s.ppInfo))},
		{"GET /api/info/chart", public, api, false, s.compatible(s.json(s.ppInfoChart))},
		{"GET /api/client/{address}", public, api, false, s.observing(s.compatible(s.json(s.ppClient)))},
		{"GET /api/client/{address}/chart", public, api, false, s.observing(s.compatible(s.json(s.ppClientChart)))},
		{"GET /api/client/{address}/{worker}", public, api, false, s.observing(s.compatible(s.json(s.ppGroup)))},
		{"GET /api/client/{address}/{worker}/{session}", public, api, false, s.observing(s.compatible(s.json(s.ppSession)))},
		{"GET /api/share/top-difficulties", public, api, false, s.compatible(s.json(s.ppTopShares))},
		{"GET /pool/pool.status", public, api, false, s.compatible(s.ckStatus)},
		{"GET /users/{address}", public, api, false, s.observing(s.compatible(s.ckUser))},

		{"GET " + metricsPath, monitors, api, false, s.prometheus},

		{"GET /api/dashboard", readers, api, false, s.deskJSON(s.apiDashboard)},
		{"GET /api/services/status", readers, api, false, s.deskJSON(s.apiServices)},
		{"GET /api/stats", readers, api, false, s.deskJSON(s.apiStats)},
		{"GET /api/status", readers, api, false, s.deskJSON(s.apiStatus)},
		{"GET /api/config", readers, api, false, s.deskJSON(s.apiDeskConfig)},
		{"POST /api/config", operators, api, false, s.command(withoutPassword, s.doDeskConfig)},
		{"GET /api/workers", readers, api, false, s.deskJSON(s.apiWorkerPage)},
		{"GET /api/workers/{address}", readers, api, false, s.deskJSON(s.apiMiner)},
		{"POST /api/workers/{address}/ban", operators, api, false, s.command(withoutPassword, s.doBan)},
		{"POST /api/workers/{address}/unban", operators, api, false, s.command(withoutPassword, s.doUnban)},
		{"POST /api/workers/{address}/tags", operators, api, false, s.command(withoutPassword, s.doTag)},
		{"POST /api/workers/{address}/tags/{tag}", operators, api, false, s.command(withoutPassword, s.doUntag)},
		{"GET /api/blocks", readers, api, false, s.deskJSON(s.apiDeskBlocks)},
		{"GET /api/blocks/{height}", readers, api, false, s.deskJSON(s.apiDeskBlock)},
		{"GET /api/safety/check", readers, api, false, s.deskJSON(s.apiSafety)},
		{"GET /api/payouts", readers, api, false, s.deskJSON(s.apiPayments)},
		{"GET /api/audit/logs", operators, api, false, s.deskJSON(s.apiAudit)},
		{"GET /api/audit/stats", operators, api, false, s.deskJSON(s.apiAuditStats)},
		{"GET /api/audit/export", operators, api, false, s.auditJSON},
		{"GET /api/alerts", readers, api, false, s.deskJSON(s.apiAlerts)},
		{"POST /api/alerts/dismiss/{id}", operators, api, false, s.command(withoutPassword, s.doDismissAlert)},
		{"GET /api/alerts/rules", readers, api, false, s.deskJSON(s.apiAlertRules)},
		{"POST /api/alerts/rules", operators, api, false, s.command(withoutPassword, s.doMakeAlertRule)},
		{"POST /api/alerts/rules/{key}", operators, api, false, s.command(withoutPassword, s.doSetAlertRule)},
		{"POST /api/alerts/rules/{key}/delete", operators, api, false, s.command(withoutPassword, s.doResetAlertRule)},
		{"GET /api/alerts/channels", readers, api, false, s.deskJSON(s.apiAlertChannels)},
		{"GET /api/alerts/deliveries", readers, api, false, s.deskJSON(s.apiAlertDeliveries)},
		{"GET /api/logs", operators, api, false, s.deskJSON(s.apiLogs)},
	}
}
