// Package alert tells the operators what they would want to know before they look.
//
// # From a look to a message
//
// The box hands over what it sees, a [Snapshot], every half minute and when
// something happened. Of that, pure functions (judge.go) say which conditions hold; a
// rule's [watch] turns conditions into alerts, and [Bell.Look] writes them down with
// the messages that follow, in one transaction. Couriers (courier.go), one for each
// channel, take the messages out of the table and send them.
//
//	Snapshot → judge → conditions → watch → alert + deliveries → courier → channel
//
// There are two sorts of rules. What lasts, such as a worker that is offline, is
// raised once and over once. What happens, such as a block, is raised once and stays
// raised; at the first look of all, what has happened before is no news.
//
// # No storms
//
//   - An alert is about all that its rule has noticed: a hundred workers at once are
//     one alert. Where such things do not happen in the same second, the first one
//     waits a minute for the others (Kind.Gather).
//   - After an alert its rule is silent for five minutes; what comes meanwhile is
//     gathered.
//   - The same subject is raised again only after the rule's cool-down.
//   - What a condition must be to begin is more than it must be to go on
//     (Condition.Keep), and it is over only after a minute without it.
//   - All that waits for a channel is one message, and a channel has at most so many in
//     an hour; the rest waits and comes together.
//
// # Channels
//
// A channel is a webhook, a topic of an ntfy server, a Telegram chat or an e-mail
// address; nothing leaves the box unless an operator has set one up. Their targets may
// be in the home network: it is the operators who choose them, with their password. So
// redirects are not followed, answers are read up to a few kilobytes, and each try has
// a deadline. Alerts stand on the page in any case, until somebody dismisses them.
//
// A message is delivered at least once: when the box dies between the sending and its
// note of it, the message comes twice. A channel that fails is tried again after 30
// seconds and then ever more seldom, for a day; then the message is dropped, and the
// log of deliveries says so. Channels know nothing of each other.
//
// What a channel needs and nobody else may know (tokens, passwords, the URL of a
// webhook) is stored sealed, and taken out of every error before anybody sees it.
//
// # The webhook
//
// A POST of application/json, see [Hook]. With a secret there are two more headers:
//
//	Dmpool-Timestamp: unix seconds
//	Dmpool-Signature: sha256=HEX     HMAC-SHA-256 of timestamp "." body under the secret
//
// Any answer 2xx is a receipt.
package alert
