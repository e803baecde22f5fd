package pool

import (
	"bytes"
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
)

// Status is a snapshot of the running pool for the pages.
type Status struct {
	Network           string
	Height            int32          // of the tip; 0 before the first template
	Tip               chainhash.Hash //
	TipAt             time.Time      // when this pool learned of the tip
	TemplateAt        time.Time      // when the current job was made
	TemplateTxs       int            //
	TemplateFees      int64          // satoshis that these transactions pay
	CoinbaseValue     int64          // satoshis that the next block would pay
	NetworkDifficulty float64        // 0 before the first template
	Serving           bool           // miners get jobs
	Reason            string         // why they do not, a sentence
	Idle              bool           // meanwhile they stay connected, however long it takes; else they are sent away after a while
	Settlement        string         // of a block that is found now; empty before the first job
	Fallback          string         // why that is not the one of the settings, or not for everybody; empty while it is
	FallbackAlarm     bool           // it is not by itself that this ends
	Sessions          []stratum.SessionInfo
	Ports             []PortStatus // extra ports that the settings ask for
	Notice            Notice
	StartedAt         time.Time
}

// Notice is how the pool hears of new blocks.
type Notice struct {
	ZMQ   bool          // the node announces them; without that it is asked several times a second
	First string        // what told of the last one first, as in [node.Update]; empty before there was one
	Ready time.Duration // from that on until there was work on the block
	Sent  time.Duration // and until all miners had it; zero when nobody was there
}

// Status returns a snapshot.
func (p *Pool) Status() Status {
	now := p.serving.Load()
	s := Status{
		Network:   p.Network,
		Serving:   now.reason == "",
		Reason:    now.reason,
		Sessions:  p.server.Sessions(),
		StartedAt: p.startedAt,
		TipAt:     now.tipAt,
		Ports:     *p.portStatus.Load(),
		Idle:      now.idle,
		Notice:    p.notice(now),
	}
	if now.fallback != "" {
		s.Fallback, s.FallbackAlarm = sentence(errors.New(now.fallback)), now.alarm
	}
	if now.template != nil {
		s.Settlement = now.settlement
		s.Height = now.template.Height - 1
		s.Tip = now.template.PrevHash
		s.TemplateAt = now.at
		s.TemplateTxs, s.TemplateFees = len(now.template.Txs), now.fees
		s.CoinbaseValue = now.template.CoinbaseValue
		s.NetworkDifficulty = now.job.NetworkDifficulty
	}
	return s
}

// notice tells how the last new block became known. The one that the pool began with
// was no news.
func (p *Pool) notice(now *serving) Notice {
	state := p.Source.State()
	n := Notice{ZMQ: state.ZMQ}
	if now.template == nil || state.Tip != now.template.PrevHash || state.TipReason == "start" || now.tipAt.IsZero() {
		return n
	}
	n.First, n.Ready = state.TipReason, max(now.offered.Sub(now.tipAt), 0)
	if m := p.server.Metrics(); m.LastNotify.After(now.tipAt) {
		n.Sent = m.LastNotify.Sub(now.tipAt)
	}
	return n
}

// Metrics is a snapshot of how a new block reaches the miners, step by step, and
// of the shares that come too late for it (stratum.md section 6): tip seen →
// template done → first notify → last notify.
type Metrics struct {
	TipSeen      time.Time // the first sign of the last new tip; zero before the first
	TemplateDone time.Time // its first template was there and checked
	stratum.Metrics
}

// Metrics returns a snapshot.
func (p *Pool) Metrics() Metrics {
	now := p.serving.Load()
	return Metrics{TipSeen: now.tipAt, TemplateDone: now.offered, Metrics: p.server.Metrics()}
}

// NextCoinbase is what the coinbase of the next block would pay, the commitment to
// its witnesses left out. It is nil where each miner has a coinbase of its own, and
// before the first job.
func (p *Pool) NextCoinbase() []Output {
	now := p.serving.Load()
	params, ok := ChainParams(p.Network)
	if now.template == nil || now.layOut != nil || !ok {
		return nil
	}
	pays := p.planOf(now.job)
	var outputs []Output
	for _, out := range now.job.Layout.Outputs {
		o := Output{Amount: out.Value, Address: payee(out.Script, params), Whose: OfMiner}
		if pays.Terms.Settlement == ledger.SettlementLedger || bytes.Equal(out.Script, pays.PoolScript) {
			o.Whose = OfPool
		}
		outputs = append(outputs, o)
	}
	return outputs
}

// CurrentSettings returns the rules in force.
func (p *Pool) CurrentSettings() Settings { return *p.settings.Load() }

// sentence is an error's text as a person reads it: with a capital letter.
func sentence(err error) string {
	text := err.Error()
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}
