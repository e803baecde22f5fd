package stratum

import (
	"sync"

	"github.com/dmpool/dmpool/pool/work"
)

// LayOut makes, of a job for everybody, the one with number id whose coinbase
// pays a worker. It is called by many sessions at once, with locks held: it must
// neither wait nor call the server.
type LayOut func(job *work.Job, id uint32, w Worker) (*work.Job, error)

// notice is a job with its two lines, made once and shared by all sessions.
type notice struct {
	job     *work.Job
	refresh []byte // clean_jobs false
	clean   []byte // clean_jobs true

	narrow *notice // for whom the job's coinbase is too large; nil: nothing is
	layOut LayOut  // nil: the job is for everybody
	mu     sync.Mutex
	own    map[string]*ownNotice // what layOut made of the job, by the worker's script
}

func newNotice(job *work.Job, layOut LayOut) *notice {
	return &notice{job: job, refresh: jobLine(job, false), clean: jobLine(job, true), layOut: layOut}
}

// again returns the notice under new numbers and with another time.
func (n *notice) again(nextID func() uint32, t uint32) *notice {
	fresh := newNotice(n.job.WithID(nextID(), t), n.layOut)
	if n.narrow != nil {
		fresh.narrow = n.narrow.again(nextID, t)
	}
	return fresh
}

// ownNotice is made when the first session needs it, and shared by all sessions
// of the same account.
type ownNotice struct {
	once sync.Once
	*notice
	err error
}

// of returns what a session gets that belongs to a worker. After an error it
// gets nothing: whoever published the job knows why.
func (n *notice) of(w Worker, nextID func() uint32) (*notice, error) {
	if n.layOut == nil {
		return n, nil
	}
	n.mu.Lock()
	o := n.own[string(w.Script)]
	if o == nil {
		if n.own == nil {
			n.own = make(map[string]*ownNotice)
		}
		o = new(ownNotice)
		n.own[string(w.Script)] = o
	}
	n.mu.Unlock()

	o.once.Do(func() {
		var job *work.Job
		if job, o.err = n.layOut(n.job, nextID(), w); o.err == nil {
			o.notice = newNotice(job, nil)
		}
	})
	return o.notice, o.err
}
