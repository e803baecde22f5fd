package stratum

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// Notify is the content of mining.notify: a job as it stands on the wire.
//
//	index  field       encoding
//	0      job id      any string
//	1      prevhash    header order, each 4-byte word byte-swapped
//	2, 3   coinb1, 2   raw bytes of the coinbase without witness
//	4      branches    header order
//	5, 6   version, bits   big-endian, 8 digits
//	7      ntime       big-endian, 8 digits
//	8      clean_jobs  bool
type Notify struct {
	JobID                string
	PrevHash             chainhash.Hash
	Coinbase1, Coinbase2 []byte
	Branches             []chainhash.Hash
	Version, Bits, Time  uint32
	Clean                bool // all earlier jobs are worthless
}

// ParseNotify decodes the params of a mining.notify of any pool.
func ParseNotify(params json.RawMessage) (Notify, error) {
	list := Message{Params: params}.params()
	if len(list) < 9 {
		return Notify{}, fmt.Errorf("parse notify: %d params instead of 9", len(list))
	}

	var n Notify
	var prev, coinbase1, coinbase2, version, bits, time string
	var branches []string
	for i, field := range []any{&n.JobID, &prev, &coinbase1, &coinbase2, &branches, &version, &bits, &time} {
		if err := json.Unmarshal(list[i], field); err != nil {
			return Notify{}, fmt.Errorf("parse notify: param %d: %w", i, err)
		}
	}
	if err := json.Unmarshal(list[len(list)-1], &n.Clean); err != nil {
		return Notify{}, fmt.Errorf("parse notify: last param: %w", err)
	}

	var d hexDecoder
	n.PrevHash = swapWords(d.hash(prev))
	n.Coinbase1, n.Coinbase2 = d.bytes(coinbase1), d.bytes(coinbase2)
	for _, branch := range branches {
		n.Branches = append(n.Branches, d.hash(branch))
	}
	n.Version, n.Bits, n.Time = d.uint32(version), d.uint32(bits), d.uint32(time)
	if d.err != nil {
		return Notify{}, fmt.Errorf("parse notify: %w", d.err)
	}
	return n, nil
}

// hexDecoder decodes hex fields and keeps the first error.
type hexDecoder struct{ err error }

func (d *hexDecoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *hexDecoder) bytes(text string) []byte {
	raw, err := hex.DecodeString(text)
	if err != nil {
		d.fail(err)
	}
	return raw
}

func (d *hexDecoder) hash(text string) (h chainhash.Hash) {
	raw := d.bytes(text)
	if len(raw) != len(h) {
		d.fail(fmt.Errorf("hash of %d bytes", len(raw)))
	}
	copy(h[:], raw)
	return h
}

func (d *hexDecoder) uint32(text string) uint32 {
	v, ok := hex32([]byte(text))
	if !ok {
		d.fail(fmt.Errorf("number %q is not 1 to 8 hex digits", text))
	}
	return v
}

// appendLine appends the notification. The job id must need no escaping.
func (n Notify) appendLine(dst []byte) []byte {
	dst = append(dst, `{"id":null,"method":"mining.notify","params":["`...)
	dst = append(dst, n.JobID...)
	dst = append(dst, `","`...)
	prev := swapWords(n.PrevHash)
	dst = hex.AppendEncode(dst, prev[:])
	dst = append(dst, `","`...)
	dst = hex.AppendEncode(dst, n.Coinbase1)
	dst = append(dst, `","`...)
	dst = hex.AppendEncode(dst, n.Coinbase2)
	dst = append(dst, `",[`...)
	for i := range n.Branches {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = hex.AppendEncode(dst, n.Branches[i][:])
		dst = append(dst, '"')
	}
	dst = append(dst, `],"`...)
	dst = appendHex32(dst, n.Version)
	dst = append(dst, `","`...)
	dst = appendHex32(dst, n.Bits)
	dst = append(dst, `","`...)
	dst = appendHex32(dst, n.Time)
	if n.Clean {
		return append(dst, "\",true]}\n"...)
	}
	return append(dst, "\",false]}\n"...)
}

// appendHex32 appends v as 8 digits; clients insist on the leading zeros.
func appendHex32(dst []byte, v uint32) []byte {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], v)
	return hex.AppendEncode(dst, raw[:])
}

// swapWords reverses the bytes of each 4-byte word; twice is the identity.
func swapWords(h [32]byte) [32]byte {
	for i := 0; i < len(h); i += 4 {
		h[i], h[i+1], h[i+2], h[i+3] = h[i+3], h[i+2], h[i+1], h[i]
	}
	return h
}

// jobLine returns a job as it is sent to miners.
func jobLine(job *work.Job, clean bool) []byte {
	n := Notify{
		JobID:     string(appendHex32(nil, job.ID)),
		PrevHash:  job.PrevHash,
		Coinbase1: job.Coinbase1,
		Coinbase2: job.Coinbase2,
		Branches:  job.Branches,
		Version:   job.Version,
		Bits:      job.Bits,
		Time:      job.Time,
		Clean:     clean,
	}
	size := 300 + 2*(len(n.Coinbase1)+len(n.Coinbase2)) + 67*len(n.Branches)
	return n.appendLine(make([]byte, 0, size))
}
