package support

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/dmpool/dmpool/appliance/logbook"
	"github.com/dmpool/dmpool/appliance/seed"
)

// Scrubber takes out of texts what does not belong to strangers. The same address has
// the same name in the whole bundle, so that lines can still be brought together.
type Scrubber struct {
	open  bool // addresses of miners and computers stay
	words map[string]bool
	names map[string]string // of what was replaced
	count map[string]int    // by kind
}

// NewScrubber makes one. When open is set, IP addresses and payout addresses stay.
func NewScrubber(open bool) *Scrubber {
	s := &Scrubber{open: open, words: map[string]bool{}, names: map[string]string{}, count: map[string]int{}}
	for _, w := range seed.List() {
		s.words[w] = true
	}
	return s
}

// What may stay of a text. A number has at most twelve digits, which no key fits into.
var (
	plainWord   = regexp.MustCompile(`^[A-Z]?[a-z]{0,17}(['’][a-z]{1,2})?$`)
	shortForm   = regexp.MustCompile(`^(API|CPU|DNS|EOF|HTTPS?|ID|IO|IP|JSON|LAN|NTP|OK|PPLNS|PSBT|RAM|RPC|SHA|SQL|SQLite|SSD|TCP|TLS|TOTP|UDP|USB|UTC|UTXOs?|[kKMGT]B|ZMQ|DMPool|BTC)$`)
	smallWord   = regexp.MustCompile(`^[a-z]{1,14}$`)
	fileKind    = regexp.MustCompile(`\.(conf|dat|db|json|lock|log|pem|service|sock|zip)$`)
	smallNumber = regexp.MustCompile(`^\d{1,7}$`)
	number      = regexp.MustCompile(`^[-+#]?\d{1,12}([.,]\d{1,9})?(%|[a-zµ]{1,3}|[kKMGTPE]i?B|[kMGTPE]?H/s)?$`)
	moment      = regexp.MustCompile(`^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[-+]\d\d:\d\d))?$`)
	duration    = regexp.MustCompile(`^-?(\d{1,6}(\.\d{1,9})?(h|ms|m|s|µs|ns))+$`)
	release     = regexp.MustCompile(`^(v|go)?\d{1,4}(\.\d{1,4}){1,3}$|^/?([A-Z][a-z]{2,15}:\d[\d.]{0,11}/?){1,3}$`)
	platform    = regexp.MustCompile(`^(linux/)?(amd64|arm64)$|^testnet4$|^ledger\.db$|^shares\.db$`)
	blockHash   = regexp.MustCompile(`^0{8}[0-9a-f]{56}$`)
	coinTarget  = regexp.MustCompile(`^(bc1|tb1|bcrt1)[02-9ac-hj-np-z]{11,71}$|^[123mn][1-9A-HJ-NP-Za-km-z]{25,34}$`)
)

// Text scrubs a text word by word.
func (s *Scrubber) Text(text string) string {
	tokens := strings.Fields(text)
	for i, token := range tokens {
		core := strings.Trim(token, "\"'`‘’“”()[]<>{},;:.!?…")
		if kept := s.token(core); kept != core {
			tokens[i] = strings.Replace(token, core, kept, 1)
		}
	}
	return strings.Join(s.withoutPhrases(tokens), " ")
}

// token is what stays of a piece of text without blanks.
func (s *Scrubber) token(text string) string {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return s.computer(ap.Addr()) + fmt.Sprintf(":%d", ap.Port())
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		return s.computer(ip)
	}
	if coinTarget.MatchString(text) {
		if s.open {
			return text
		}
		return s.Name("address", text)
	}
	if allowed(text) {
		return text
	}
	if key, value, ok := strings.Cut(text, "="); ok && smallWord.MatchString(key) {
		return key + "=" + s.token(value)
	}
	if compound(text) {
		return text
	}
	return logbook.LeftOut
}

// compound tells whether a text is made of small words and short numbers, such as
// wallet-backup or /var/lib/dmpool/practice/shares.db.
func compound(text string) bool {
	text = fileKind.ReplaceAllString(text, "")
	pieces := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("/-_:", r) })
	return !slices.ContainsFunc(pieces, func(p string) bool { return !smallWord.MatchString(p) && !smallNumber.MatchString(p) })
}

func allowed(text string) bool {
	for _, r := range []*regexp.Regexp{plainWord, shortForm, number, moment, duration, release, platform, blockHash} {
		if r.MatchString(text) {
			return true
		}
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x80 || r > 0x2fff }) // signs such as – and →
}

// computer is what stays of an IP address. This machine's own names say nothing.
func (s *Scrubber) computer(ip netip.Addr) string {
	if s.open || ip.IsLoopback() || ip.IsUnspecified() {
		return ip.String()
	}
	return s.Name("ip", ip.Unmap().String())
}

// Name is what stands for a name of somebody's choice, such as that of a miner.
func (s *Scrubber) Name(kind, text string) string {
	key := kind + " " + text
	if s.names[key] == "" {
		s.count[kind]++
		s.names[key] = fmt.Sprintf("%s-%d", kind, s.count[kind])
	}
	return s.names[key]
}

// phrase is how many words of a wallet in a row are no sentence any more.
const phrase = 6

// withoutPhrases takes out what may be the words of a wallet.
func (s *Scrubber) withoutPhrases(tokens []string) []string {
	var kept []string
	for i := 0; i < len(tokens); {
		run := i
		for run < len(tokens) && s.words[strings.ToLower(strings.Trim(tokens[run], ",.;:\"'"))] {
			run++
		}
		if run-i >= phrase {
			kept = append(kept, logbook.LeftOut)
			i = run
			continue
		}
		run = max(run, i+1)
		kept = append(kept, tokens[i:run]...)
		i = run
	}
	return kept
}

// Value scrubs a value of the log. What is under the name of somebody or something
// that people name themselves is replaced as a whole.
func (s *Scrubber) Value(key, text string) string {
	switch key = key[strings.LastIndex(key, ".")+1:]; key {
	case "worker", "account", "address", "agent", "user", "actor", "operator", "label", "name", "owner", "by":
		if text == "" || s.open && coinTarget.MatchString(text) {
			return text
		}
		return s.Name(key, text)
	case "host", "url", "file", "path", "dir", "pages", "object":
		if _, err := netip.ParseAddrPort(text); err != nil {
			return s.Name(key, text)
		}
	}
	return s.Text(text)
}
