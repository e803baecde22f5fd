package webui

import (
	"net/http"
	"slices"
	"strconv"
)

// deskBlockJSON is a block as the operator sees it: with its finder.
type deskBlockJSON struct {
	blockJSON
	Finder string `json:"finder"`
	Worker string `json:"worker"`
}

func deskBlockOf(b blockLine) deskBlockJSON {
	return deskBlockJSON{blockJSON: blockOf(b), Finder: b.Finder, Worker: b.Worker}
}

// wholeDeskBlockJSON is a block with how it was shared, and among whom.
type wholeDeskBlockJSON struct {
	deskBlockJSON
	splitSums

	Credits []creditJSON `json:"credits"`
}

type creditJSON struct {
	Address string   `json:"address"`
	Amount  int64    `json:"amount_sats"`
	Paid    int64    `json:"paid_by_block_sats"` // of the amount
	Part    *float64 `json:"part"`               // of the block's value
}

func (s *site) apiDeskBlocks(r *http.Request) (any, error) { return listBlocks(s, r, deskBlockOf) }

// apiDeskBlock finds a block by its height. Of several at the same height it is the
// one in the chain, or else the newest.
func (s *site) apiDeskBlock(r *http.Request) (any, error) {
	height, err := strconv.ParseInt(r.PathValue("height"), 10, 32)
	if err != nil || height < 0 {
		return nil, notFound()
	}
	lines, err := s.box.BlocksAt(r.Context(), int32(height))
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, &problem{Status: http.StatusNotFound, Code: "not-found", Detail: "The pool found no block at this height."}
	}
	at := slices.IndexFunc(lines, func(b blockLine) bool { return b.State == "accepted" || b.State == "mature" })
	v, err := s.box.Block(r.Context(), lines[max(at, 0)].Hash)
	if err != nil {
		return nil, err
	}
	answer := wholeDeskBlockJSON{deskBlockJSON: deskBlockOf(v.blockLine), splitSums: splitOf(v), Credits: []creditJSON{}}
	for _, c := range v.Credits {
		answer.Credits = append(answer.Credits, creditJSON{Address: c.Address, Amount: c.Amount, Paid: c.Paid, Part: c.Share})
	}
	return answer, nil
}
