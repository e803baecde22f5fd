package cpuminer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// A unit is a piece of a job that one thread works through: unitNonces nonces
// of one extranonce2.
const (
	unitBits        = 24
	unitNonces      = 1 << unitBits
	unitsPerCounter = 1 << (32 - unitBits) // units of one extranonce2
)

// task is a job as the threads need it. It is immutable but for its counter
// and its flag.
type task struct {
	jobID           string
	generation      int // the session's count of clean jobs
	coinbase1       []byte
	coinbase2       []byte // coinbase1 includes extranonce1
	job             stratum.Notify
	extranonce2Size int
	target          work.Target
	found           chan<- solution
	ended           <-chan struct{} // the session that takes the solutions is over

	units    *atomic.Uint64 // the next unit to be handed out
	replaced atomic.Bool    // there is something better to do
}

// solution is a share on its way to the pool.
type solution struct {
	task        *task
	extranonce2 []byte
	nonce       uint32
}

// shareTarget returns the target for a difficulty, or the network's where that
// is easier: a block is welcome at any difficulty.
func shareTarget(difficulty float64, bits uint32) work.Target {
	target := work.TargetFromDifficulty(difficulty)
	if network, err := work.TargetFromBits(bits); err == nil && bytes.Compare(network[:], target[:]) > 0 {
		return network
	}
	return target
}

// unit prepares the header of a unit; ok is false when the job has been worked
// through.
//
//	header   0 version, 4 previous block, 36 merkle root,
//	        68 time, 72 bits, 76 nonce
func (t *task) unit(n uint64) (header [headerSize]byte, extranonce2 []byte, firstNonce uint32, ok bool) {
	counter := n / unitsPerCounter
	if t.extranonce2Size < 8 && counter>>(8*t.extranonce2Size) != 0 {
		return header, nil, 0, false
	}
	var wide [8]byte
	binary.LittleEndian.PutUint64(wide[:], counter)
	extranonce2 = make([]byte, t.extranonce2Size)
	copy(extranonce2, wide[:])

	root := doubleHash(t.coinbase1, extranonce2, t.coinbase2)
	for i := range t.job.Branches {
		root = doubleHash(root[:], t.job.Branches[i][:])
	}
	binary.LittleEndian.PutUint32(header[0:], t.job.Version)
	copy(header[4:], t.job.PrevHash[:])
	copy(header[36:], root[:])
	binary.LittleEndian.PutUint32(header[68:], t.job.Time)
	binary.LittleEndian.PutUint32(header[72:], t.job.Bits)
	return header, extranonce2, uint32(n%unitsPerCounter) << unitBits, true
}

func doubleHash(parts ...[]byte) [sha256.Size]byte {
	first := sha256.Sum256(bytes.Join(parts, nil))
	return sha256.Sum256(first[:])
}

// meets reports whether a hash in header byte order, a little-endian number, is
// not above the target. Nearly every hash fails at its first bytes.
func meets(hash *[sha256.Size]byte, target *work.Target) bool {
	for i := range target {
		if b := hash[len(hash)-1-i]; b != target[i] {
			return b < target[i]
		}
	}
	return true
}

// board is where the threads look for work.
type board struct {
	mu      sync.Mutex
	task    *task         // nil: nothing to do
	changed chan struct{} // closed when task is replaced
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

// post replaces the task.
func (b *board) post(t *task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.task != nil {
		b.task.replaced.Store(true)
	}
	b.task = t
	close(b.changed)
	b.changed = make(chan struct{})
}

// look returns the task, and a channel that is closed when there is another.
func (b *board) look() (*task, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.task, b.changed
}

// progress remembers how far each job was worked through, by its content: a
// pool that sends a job again must not get the same shares again.
type progress struct {
	units map[[sha256.Size]byte]*atomic.Uint64
	order [][sha256.Size]byte
}

// maxProgress is the number of jobs that are remembered.
const maxProgress = 64

func newProgress() *progress {
	return &progress{units: make(map[[sha256.Size]byte]*atomic.Uint64)}
}

// of returns the counter of a task.
func (p *progress) of(t *task) *atomic.Uint64 {
	header, _, _, _ := t.unit(0) // of everything that a task hashes
	key := sha256.Sum256(header[:])
	if units, known := p.units[key]; known {
		return units
	}
	if len(p.order) == maxProgress {
		delete(p.units, p.order[0])
		p.order = p.order[1:]
	}
	p.units[key] = new(atomic.Uint64)
	p.order = append(p.order, key)
	return p.units[key]
}
