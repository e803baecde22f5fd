package stratum

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// Limits of mining.authorize.
const (
	maxUsername = 256 // bytes
	maxNames    = 64  // per connection; proxies use several
)

// subscribe answers mining.subscribe, a second time exactly as the first. The
// text "mining.notify" must be in it: some firmware looks for just that.
func (s *session) subscribe(m Message) {
	if !s.subscribed {
		s.subscribed = true
		list := m.params()
		agent, _ := stringAt(list, 0)
		s.mu.Lock()
		s.state.agent = cleanAgent(agent)
		s.state.claims.device = deviceOf(s.state.agent)
		s.mu.Unlock()
		if sid, ok := stringAt(list, 1); ok {
			s.server.resume(s, sid, time.Now())
		}
	}
	s.answers = appendResult(s.answers, m.ID, fmt.Sprintf(
		`[[["mining.notify","%[1]s"],["mining.set_difficulty","%[1]s"]],"%[1]s",%[2]d]`, s.id, work.Extranonce2Size))
}

// authorize lets a worker in, once or several times over, one name or several.
func (s *session) authorize(ctx context.Context, m Message) error {
	list := m.params()
	username, ok := stringAt(list, 0)
	if !ok || username == "" || len(username) > maxUsername {
		return errUnauthorized
	}
	known := slices.ContainsFunc(s.state.names, func(l login) bool { return l.username == username })
	if !known && len(s.state.names) >= maxNames {
		return errTooManyNames
	}

	worker, err := s.server.backend.Authorize(ctx, username)
	if refusal, ok := errors.AsType[*RefusalError](err); ok {
		s.refused = true // it may stay until handshakeTime and try again
		return &fault{24, refusal.Reason}
	}
	if err != nil {
		if s.server.seldom("authorize", time.Now()) {
			s.log().Warn("Cannot authorise a worker", "err", err)
		}
		return errUnavailable
	}

	if s.server.rules().OneAddress && len(s.state.names) > 0 && worker.Address != s.state.names[0].worker.Address {
		return errOneAddress
	}

	worker.Name = cmp.Or(worker.Name, nameless(s.peer))
	if err := s.server.refuses(worker, s.peer); err != nil {
		s.refused = true
		return err
	}
	password, _ := stringAt(list, 1)
	wishes := parsePassword(password)
	if wishes.fixed == 0 && sensible(worker.FixedDifficulty) {
		wishes.fixed = worker.FixedDifficulty
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.enrol(login{username, worker})
	s.wish(wishes)
	return nil
}

// workerOf returns who a share belongs to. A name that was never authorised is
// a proxy's worker behind the session's own payout address, and counts by
// itself from now on, or else some firmware's name for another pool: such a
// share belongs to the session's first worker, as the pool cannot know better.
func (s *session) workerOf(ctx context.Context, username []byte) Worker {
	for i := range s.state.names {
		if s.state.names[i].username == string(username) {
			return s.state.names[i].worker
		}
	}
	first := s.state.names[0].worker
	if len(s.state.names) >= maxNames || len(username) == 0 || len(username) > maxUsername {
		return first
	}
	worker, err := s.server.backend.Authorize(ctx, string(username))
	if _, refused := errors.AsType[*RefusalError](err); err != nil && !refused {
		return first // the backend is in trouble: ask again next time
	}
	worker.Name = cmp.Or(worker.Name, nameless(s.peer))
	if err != nil || worker.Address != first.Address || s.server.refuses(worker, s.peer) != nil {
		worker = first
		if !s.strange {
			s.strange = true
			s.log().Info("Shares under a name that was not authorised count for the session's first worker", "worker", first.Name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.enrol(login{string(username), worker})
	return worker
}

// nameless returns the name of a worker that has none: the last octet of the
// miner's IPv4 address, by which people tell their devices apart, or else
// "worker" (stratum.md section 4).
func nameless(peer net.Addr) string {
	if tcp, ok := peer.(*net.TCPAddr); ok {
		if ip := tcp.IP.To4(); ip != nil {
			return strconv.Itoa(int(ip[3]))
		}
	}
	return "worker"
}

// configure answers mining.configure (BIP310): each extension asked for gets a
// value, and only those.
func (s *session) configure(m Message) {
	list := m.params()
	var extensions []string
	if len(list) == 0 || json.Unmarshal(list[0], &extensions) != nil || extensions == nil {
		s.answer(m.ID, errMalformed)
		return
	}
	var options map[string]json.RawMessage
	if len(list) > 1 && json.Unmarshal(list[1], &options) != nil {
		s.answer(m.ID, errMalformed)
		return
	}

	var result bytes.Buffer
	add := func(key, value string) {
		separator := byte(',')
		if result.Len() == 0 {
			separator = '{'
		}
		result.WriteByte(separator)
		result.Write(quote(key))
		result.WriteByte(':')
		result.WriteString(value)
	}
	for _, extension := range extensions {
		switch extension {
		case "version-rolling":
			mask, ok := s.rolling(options["version-rolling.mask"])
			add(extension, strconv.FormatBool(ok))
			if ok {
				add("version-rolling.mask", fmt.Sprintf(`"%08x"`, mask))
			}
		case "minimum-difficulty":
			var least float64
			err := json.Unmarshal(options["minimum-difficulty.value"], &least)
			add(extension, strconv.FormatBool(err == nil && s.atLeast(least)))
		case "subscribe-extranonce", "info":
			add(extension, "true")
		default:
			add(extension, "false")
		}
	}
	if result.Len() == 0 {
		result.WriteByte('{')
	}
	result.WriteByte('}')
	s.answers = appendResult(s.answers, m.ID, result.String())
}

// rolling agrees on the version bits that the miner may roll: what both sides
// allow. A miner that names no mask takes any.
func (s *session) rolling(requested json.RawMessage) (mask uint32, ok bool) {
	mask = s.server.rules().Mask
	if !isNull(requested) {
		var text string
		if json.Unmarshal(requested, &text) != nil {
			return 0, false
		}
		asked, valid := hex32([]byte(text))
		if !valid {
			return 0, false
		}
		mask &= asked
	}
	if mask == 0 {
		return 0, false
	}
	s.mask = mask
	return mask, true
}

// atLeast takes the minimum difficulty of mining.configure.
func (s *session) atLeast(d float64) bool {
	if d != 0 && !sensible(d) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.claims.least = d
	return true
}

// suggestDifficulty takes a hint, in any of the shapes there are: [n], ["n"]
// and a bare n. What makes no sense is ignored: an error would end some
// sessions.
func (s *session) suggestDifficulty(m Message) {
	raw := m.Params
	if list := m.params(); len(list) > 0 {
		raw = list[0]
	}
	s.suggestText(strings.Trim(string(raw), `"`))
}

// suggestLegacy takes the hint of firmware that puts the number into the
// method: "mining.suggest_difficulty(1000".
func (s *session) suggestLegacy(m Message) bool {
	text, ok := strings.CutPrefix(m.Method, "mining.suggest_difficulty(")
	if ok {
		s.suggestText(strings.TrimSuffix(text, ")"))
	}
	return ok
}

func (s *session) suggestText(text string) {
	d, err := strconv.ParseFloat(text, 64)
	if err != nil || !sensible(d) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suggest(d)
}
