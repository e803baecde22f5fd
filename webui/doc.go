// Package webui is the window of the appliance: the operator's pages, the
// observer pages that any miner may open, and the public read-only API.
//
// # The path of a request
//
// New returns a http.Handler, and a second one with the public API alone, which
// dmpool serve --api puts on a port of its own. A request passes, from the outside in,
//
//	recover     a panic becomes an error page with a reference, not a dead socket
//	headers     CSP and its companions, on every answer, error pages included
//	proxy       the visitor's address in the place of a named proxy's (public.go)
//	host        a Host that is not one of ours is answered with 421, which
//	            is what stops DNS rebinding
//	origin      http.CrossOriginProtection: a foreign Origin may not change anything
//	mux         the table in routes.go, the whole surface on one screen
//	limit       one token bucket per kind of route and socket address
//	session     a server-side session, looked up by the SHA-256 of its cookie
//	access      the level in the route table, and where operators may come from
//	            (access.go); a POST also proves its form token
//
// and then reaches a handler that parses, calls the appliance and renders.
//
// The same handler is served over TLS, with a certificate of the box's own (https.go).
// Nobody is sent there, and there is no HSTS: with such a certificate that would lock
// people out. Cookies have other names there (cookies.go), and an operator who sees a
// page without encryption from another machine is told the way.
//
// # Pages
//
// Every page is complete HTML and works without JavaScript. A page is a
// template of its own laid over base.html, filled from one typed struct, and
// rendered into a buffer before the first byte is sent, so an error never
// leaves half a page behind. Templates called live-NAME fill the element with
// that id; when the same URL is asked for as text/event-stream, the server
// renders these again whenever something happened and sends the ones that
// changed, as long as who asked may still look. The script (static/app.js) only
// swaps them in. Streams of the same URL in the same language for the same operator
// share what is made, on pages that routes.go calls shared (showing.go).
//
// What the node page says of the node (node_figures.go) was measured in the background
// or asked for once for all pages; its button "test now" asks the node once more and
// changes nothing. The wallet page's address stays the same however often it is looked at.
//
// The wallet page (wallet.go) shows the twelve words in the answer to a form and
// nowhere else, and never gives back what was typed into its forms.
//
// The pages about miners say why shares are rejected and what to try, by one table of
// reasons (workers.go, locales part_miners.json). A ban is by address, worker or network
// and never about money. What operators call a miner is shown to operators, and behind
// a private link (links.go), /o/TOKEN, whose page has nothing on it that tells the
// address: neither itself, nor transactions, nor receipts.
//
// "Why was I not paid?" (why.go) walks from the first share of an address to its payment:
// one pure function makes the steps out of facts of books and share log.
//
// The health page (health.go) lists every check; the dashboard shows the main ones and what
// is not well.
//
// What Prometheus scrapes (metrics.go) is off until the operator says who may ask; package
// appliance/metrics has the names.
//
// The alerts page (alerts.go) shows what package alert has raised until somebody dismisses
// it; how many there are stands in the head of each page. A channel (channels.go) lets data
// out of the box, so a change of one asks for the password, and what is secret in it is
// never given back. A rule (alert_rules.go) asks for none: it tells nobody else.
//
// /devices (devices.go, device.go) finds the miners of the home network. A form there
// that says where a miner mines asks for the password; what the page tells of a change
// is what the miner says now, not what was asked of it. The fields to type stand on the
// page in any case. What a worker's miners use stands on its page.
//
// The backup pages (backup.go) tell how old the newest backup is that is known to
// restore, and hand backups out; where they go is changed on a page of its own
// (backup_plan.go), on which a server shows its fingerprint before it is taken. Nothing
// is restored over a running box: the page shows what would change, and the command.
//
// Charts are drawn on the server for the spans of chart_range.go, each with a sentence,
// a table and a CSV file.
//
// The support page (support.go) shows, file by file, what a support bundle will hold
// before it is taken; appliance/support keeps secrets out of it.
//
// The drill page (drill.go) begins a fire drill, shows how it goes, and keeps the last
// reports; appliance/rehearsal is what a drill does. It moves no money and asks for no
// password.
//
// Help (help.go) is linked at the foot of each page and answers what is asked most.
//
// The people page (people.go) is where operators come and go. Everybody may do
// everything; a session, and what a script got by signing in, ends with the person, and
// with the password and the second factor, that it is of. The forms that change these
// ask whether the tokens that may look end, too.
//
// # Signing in
//
// Whoever has a second factor signs in by two forms (login.go); what the first has
// proved is in the second under a MAC, so that strangers fill no table. The sign-in
// page (signin.go, factor.go) lists one's sessions and sets up the second factor.
// The foot of each page says when the session ends; two minutes before, the script
// brings that line up. Requests of a script do not keep a session alive.
//
// Proof that the operator is still there is one function, proves: a form's field
// "password" takes the password or a code, for that form only. The password, and the
// second factor, are changed with provesPassword. The field is the part "proof"
// (proof.go), which says what it takes. Where the setting second_factor_to_send is
// on, as it is on main, whoever has no second factor sends nothing; the pages say so
// beforehand, and a new box's first sign-in leads past the offer of one.
//
// The audit page (audit.go) reads the log, whose entries hang together by hashes and
// are never changed: it says how far that is still so, and exports what a filter
// leaves. What a request does is logged with the short id of its session.
//
// The settings page follows from a table of fields (settings_fields.go): a new
// setting is one line of it. What touches money, or lets more people look, is shown
// once more, as it was and as it will be, and asks for the password.
//
// Whatever moves money, or lets more of it out, says what will happen, asks for
// the password again, and names the revision that was on the screen: when there
// is another by now, nothing is done and the answer is 409.
//
// What a page shows comes through the box interface in views that know
// nothing of the appliance, so that all of it can be tested from golden data.
//
// A release of Bitcoin Core is uploaded on the node page as a form with a file,
// the one body that is read as it comes (core.go): what proves the form and the
// person stands before the file.
//
// # Before the set-up
//
// NewSetup returns the handler of a box that has no operator yet: the wizard
// (setup.go), with a table of routes of its own, and a redirect to it from
// everywhere else. Each step is one form; the box keeps its answer, so that a
// restart, a way back or another browser loses nothing, and gives everything back
// but the secrets. A second factor is its own step, with the texts and the parts that
// it has later (setup_factor.go); a backup in the place of all answers is uploaded and
// shown before it is taken (setup_restore.go); Bitcoin Core arrives while the set-up goes on, and each page
// says how far it is (setup_core.go). The claim code makes one browser the holder of the
// set-up, by a cookie. When there is an operator the server goes on with New's handler,
// in which there is no such route.
//
// # The public API
//
// It answers JSON, errors as application/problem+json (RFC 9457), to everybody;
// /api/openapi.yaml describes it, and a test holds the two together. The page /reference
// (reference.go) is made of that file and of the table of routes:
//
//	/api/health                      how the box is; see healthJSON for what strangers are told
//	/api/observer/ADDRESS            all that the pool knows of a payout address
//	/api/observer/ADDRESS/shares     its newest shares, kept for 48 hours
//	/api/observer/ADDRESS/payouts    what it was paid
//	/api/observer/ADDRESS/hashrate   its hash rate over 24h, 7d or 30d
//	/api/v1/pool                     what the pool does
//	/api/v1/blocks, blocks/HASH      the blocks that it found, without their finders
//	/api/v1/blocks/HASH/split.json   the receipt of a block's split (pool/receipt)
//
// Scripts of other web sites can read it when the setting public_api_cors is on;
// then a visitor's browser lets them, without its cookies. Each visitor has 60
// requests a minute, and X-RateLimit headers say how many are left.
//
// # In the shapes of other pools
//
// While the setting compatible_api is on, programs made for public-pool and ckpool
// find what they look for: /api/pool, network, info, client/ADDRESS and below, and
// /pool/pool.status, /users/ADDRESS. The files compat_*.go say what their readers
// demand; tests hold the answers against those readers' rules.
//
// # The operator's API
//
// The same, for a signed-in operator. It asks for the session's cookie, and for
// commands its form token in the header Dmpool-Token, which each answer to a GET
// carries. A script shows a token instead (tokens.go), as Authorization: Bearer: an
// hour's of POST /api/auth/login, which may do what its operator may, or one made on
// the sign-in page, which may look where the table of routes says readers. Neither
// opens a page. /api/v1/workers, devices, node and drills say what the pages do; /api/dashboard, status,
// stats, services/status, config, workers, blocks and payouts are what the earlier
// project of this name promised. All about money is below /api/payments/:
//
//	stats                   the sums, the wallet, how many payouts in which state
//	balances                what is owed to whom; balances/ADDRESS to one
//	payouts                 all payouts; payouts/ADDRESS what one was paid,
//	                        payouts/id/ID one with its plan
//	config                  the settings; a POST changes those that it names
//	create                  prepares a payout; sends nothing
//	broadcast/ID            says yes to one plan; wants the password, or a code
//	cancel/ID               gives up a payout that nobody has signed
//
// A command is a JSON object. It names the revision that it saw, and is answered
// with 409 when there is another by now; and it has an idempotency key, so that a
// client that lost the answer may send it again (replay.go).
//
// # Languages
//
// A template holds markup; its text stands in locales/LANGUAGE/PAGE.json and is
// named by a key, {{t "page.key" "n" .Count}}. All pages are parsed once for each
// language, so that functions such as ago speak it too. Tests hold the languages
// together: the same keys, values and markup, none missing and none in vain. What
// the floors below say in English, in a health check or a refusal, is known again
// by its format (phrasebook.go), {{say .Reason}}; the API stays English.
//
// The language is that of ?lang=, of a cookie that only a choice sets (look.go),
// or what the browser asks for.
//
// The script has no words of its own: base.html hands it those of the page's
// language. The menu is a table (menu.go), in which a new page is one line.
//
// # What is sent packed
//
// The files in static/ are (assets.go). Pages never are: see asset for why.
//
// # Words and numbers
//
// How amounts are written, in which zone times, and whether there is a block explorer
// to lead to, is the style of the settings (style.go); a change of it parses the
// pages once more. Where somebody decides about money it is satoshis, always.
//
// A value that is not known is a nil pointer or a zero time and is shown as
// "no data", never as 0. Amounts are satoshis in int64; hash rates are hashes
// per second in float64; times are UTC and rendered as <time datetime>, which the
// script writes again in the reader's own zone.
package webui
