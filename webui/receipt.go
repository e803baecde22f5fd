package webui

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"time"
)

// receiptFile is the split of a block as pool/receipt writes it.
type receiptFile struct {
	File   []byte
	Digest string // SHA-256 in hexadecimal
	Height int32
}

// creditedLine is what an address gets of one block.
type creditedLine struct {
	Hash   string
	Height int32
	At     time.Time
	State  string
	Amount int64
}

// Pays reports whether there is money for it: the block is, or can still get, in the chain.
func (l creditedLine) Pays() bool {
	return l.State != "orphaned" && l.State != "stale" && l.State != "rejected"
}

// statementView fills templates/statement.html: what one address gets of one
// block, and why.
type statementView struct {
	blockLine
	Address    string
	Settlement string
	FeeBps     int64
	WindowPct  string // size of the PPLNS window in per cent of a block's work
	Fee        int64
	Donation   int64
	Reserve    int64
	Shared     int64 // what is left of the value for all miners
	Credit     int64
	Paid       int64 // of Credit, by the coinbase of the block itself
	Miners     int

	Since       time.Time // when the window began, zero when it was not written down
	First, Last int64     // shares, by their numbers in the share log
	Epochs      []epochLine
	Shares      int64    // of this address in the window
	Part        *float64 // of the window
	Filled      *float64 // how much of the whole window there was
	Score, Sum  string   // exact fractions

	Tag    string // name of this address in the receipt
	Digest string // of the receipt
}

// Command checks the receipt.
func (v statementView) Command() string {
	return fmt.Sprintf("dmpool verify-split --address %s --digest %s split-%d.json", v.Address, v.Digest, v.Height)
}

// epochLine is the work against one network difficulty.
type epochLine struct {
	Difficulty *float64
	Own, All   *big.Int // in expected hashes
	Shares     int64
	Take       *float64 // part that counts
}

// Owed is what of the credit the pool has still to pay, or had to.
func (v statementView) Owed() int64 { return v.Credit - v.Paid }

// paymentView fills templates/payment.html: what one address gets in one payout.
type paymentView struct {
	Address       string
	ID            int64
	State         string
	Amount        int64 // taken from the account
	FeeShare      int64 // of this, paid to the network
	TxID          string
	Vout          *uint32
	Height        int32
	Block         string
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Confirmations int32
	Settles       int32
	Earned        *earnedLine // what it is for
}

// Net is what arrives at the address.
func (v paymentView) Net() int64 { return v.Amount - v.FeeShare }

func (s *site) statement(r *http.Request, _ caller) (any, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return nil, err
	}
	return s.box.Statement(r.Context(), address, r.PathValue("hash"))
}

func (s *site) payment(r *http.Request, _ caller) (any, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, notFound()
	}
	return s.box.Payment(r.Context(), address, id)
}

// addressOf reads the address in the URL; one that is none is a 400 with the reason.
func (s *site) addressOf(r *http.Request) (string, error) {
	address, err := s.box.ParseAddress(cut(r.PathValue("address"), 200))
	if err != nil {
		return "", invalid(asSentence(err))
	}
	return address, nil
}

// splitJSON sends the receipt of a block, byte for byte what its digest is of.
func (s *site) splitJSON(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := s.box.Receipt(r.Context(), r.PathValue("hash"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="split-%d.json"`, f.Height))
	h.Set("ETag", `"`+f.Digest+`"`)
	if matchesTag(r.Header.Get("If-None-Match"), `"`+f.Digest+`"`) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	_, err = w.Write(f.File)
	return gone(err)
}

// gone ends an answer whose reader has left: there is nobody to tell.
func gone(err error) error {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// receipts is what box knows of splits and payments, for one address.
type receipts interface {
	Receipt(ctx context.Context, hash string) (receiptFile, error)
	Credited(ctx context.Context, address string, limit int) ([]creditedLine, error)
	Statement(ctx context.Context, address, hash string) (statementView, error)
	Payment(ctx context.Context, address string, id int64) (paymentView, error)
	Postings(ctx context.Context, address string, after int64) ([]postingLine, error)
}
