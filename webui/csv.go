package webui

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Statements of account are CSV (RFC 4180), one row per posting, oldest first.
//
//	amount    what the row adds to its bucket: for a miner positive is owed by the
//	          pool; in the statement of the whole pool debit is positive, so that
//	          the column adds up to zero
//	bucket    pending, payable or reserved; empty for an account of the pool
//	balance   of all buckets of the account after the row, in sat and in BTC
//	block_…   of the whole block: a miner's part of the fee would be a rounded
//	          number that stands nowhere in the books
//	type      what happened; adj is a correction by hand
//	address   or the pool's own account: what went to the cold address passes pool:sweep
//	actor     who booked it; in the statement of the whole pool only, because whoever
//	          knows an address need not know the operators' names
//	price     left empty, for the reader to fill in
//
// Times are UTC. Numbers are plain decimals, a minus included. Text that a
// spreadsheet would take for a formula gets an apostrophe in front.

var csvHead = []string{
	"time", "event", "address", "type", "bucket", "amount_sat", "bucket_sat", "balance_sat", "balance_btc",
	"height", "block", "block_value_sat", "block_fee_sat", "block_donation_sat",
	"payout", "txid", "vout", "chain_fee_share_sat", "actor", "price",
}

// postingLine is a posting in the words of a statement.
type postingLine struct {
	At      time.Time
	Event   int64
	Account int64
	Address string // or the name of an account of the pool
	Kind    string
	Bucket  string
	Amount  int64 // debit positive
	Actor   string

	Block    *postingBlock
	Payout   int64 // 0 = none
	TxID     string
	Vout     *uint32
	FeeShare *int64
}

// postingBlock is the block that a posting is about.
type postingBlock struct {
	Hash                 string
	Height               int32
	Value, Fee, Donation int64
}

// accountCSV is the statement of one address, for whoever knows the address.
func (s *site) accountCSV(w http.ResponseWriter, r *http.Request, _ caller) error {
	address, err := s.addressOf(r)
	if err != nil {
		return err
	}
	return s.sendCSV(w, r, address, "dmpool-"+address+".csv")
}

// poolCSV is the whole book, for the operator.
func (s *site) poolCSV(w http.ResponseWriter, r *http.Request, _ caller) error {
	return s.sendCSV(w, r, "", "dmpool-ledger.csv")
}

// sendCSV streams a statement. When something fails on the way the connection is
// cut, so that nobody takes half a statement for a whole one.
func (s *site) sendCSV(w http.ResponseWriter, r *http.Request, address, name string) error {
	ctx := r.Context()
	lines, err := s.box.Postings(ctx, address, 0)
	if err != nil {
		return err
	}
	out := newStatement(beginCSV(w, name, csvHead), address == "")
	for len(lines) > 0 && err == nil {
		if err = out.write(lines); err == nil {
			lines, err = s.box.Postings(ctx, address, lines[len(lines)-1].Event)
		}
	}
	if err != nil {
		s.log.Warn("Statement not sent to its end", "err", err)
	}
	return gone(err)
}

// beginCSV begins a file (RFC 4180) that a browser saves under name. What fails is
// told by the writer's Error.
func beginCSV(w http.ResponseWriter, name string, head []string) *csv.Writer {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write(head)
	return out
}

// statement writes rows and keeps the running balances, which is all of a book
// that it holds in memory.
type statement struct {
	csv      *csv.Writer
	whole    bool
	sign     int64
	buckets  map[bucketKey]int64
	accounts map[int64]int64
}

type bucketKey struct {
	account int64
	bucket  string
}

func newStatement(out *csv.Writer, whole bool) *statement {
	s := &statement{csv: out, whole: whole, sign: -1, buckets: map[bucketKey]int64{}, accounts: map[int64]int64{}}
	if whole {
		s.sign = 1
	}
	return s
}

// write adds rows and sends them.
func (s *statement) write(lines []postingLine) error {
	for _, l := range lines {
		amount, key := s.sign*l.Amount, bucketKey{l.Account, l.Bucket}
		s.buckets[key] += amount
		s.accounts[l.Account] += amount
		balance := s.accounts[l.Account]
		row := []string{
			l.At.UTC().Format(time.RFC3339), decimal(l.Event), inert(l.Address), inert(l.Kind), inert(l.Bucket),
			decimal(amount), decimal(s.buckets[key]), decimal(balance), btc(balance),
		}
		row = append(row, l.blockCells()...)
		row = append(row, l.payoutCells()...)
		actor := ""
		if s.whole {
			actor = inert(l.Actor)
		}
		if err := s.csv.Write(append(row, actor, "")); err != nil {
			return fmt.Errorf("write statement: %w", err)
		}
	}
	s.csv.Flush()
	if err := s.csv.Error(); err != nil {
		return fmt.Errorf("write statement: %w", err)
	}
	return nil
}

func (l postingLine) blockCells() []string {
	if l.Block == nil {
		return make([]string, 5)
	}
	b := l.Block
	return []string{decimal(int64(b.Height)), inert(b.Hash), decimal(b.Value), decimal(b.Fee), decimal(b.Donation)}
}

func (l postingLine) payoutCells() []string {
	cells := make([]string, 4)
	if l.Payout != 0 {
		cells[0] = decimal(l.Payout)
	}
	cells[1] = inert(l.TxID)
	if l.Vout != nil {
		cells[2] = strconv.FormatUint(uint64(*l.Vout), 10)
	}
	if l.FeeShare != nil {
		cells[3] = decimal(*l.FeeShare)
	}
	return cells
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// btc writes satoshis as a decimal number of bitcoin, exactly.
func btc(sats int64) string {
	sign, abs := "", uint64(sats)
	if sats < 0 {
		sign, abs = "-", -uint64(sats)
	}
	return fmt.Sprintf("%s%d.%08d", sign, abs/1e8, abs%1e8)
}

// inert keeps a spreadsheet from taking text for a formula. Some take the wide signs of
// Chinese and Japanese keyboards for the same as the narrow ones.
func inert(text string) string {
	first, _ := utf8.DecodeRuneInString(text)
	if text != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + text
	}
	return text
}
