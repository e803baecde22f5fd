package stratum

import (
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// push puts items into the outbox, and reports whether the caller must now call
// send. If too much has piled up, it wakes whoever writes to be told so.
func (s *session) push(items ...item) (mine bool) {
	mine = s.out.push(items...)
	if !mine && s.out.err() != nil {
		_ = s.conn.SetWriteDeadline(time.Unix(1, 0))
	}
	return mine
}

// send empties the outbox. Only the one whom push asked to do so may call it,
// with no lock held. With patience it waits for a miner that reads slowly;
// without it, it leaves that to a goroutine.
func (s *session) send(patience bool) {
	buf := s.server.buffers.Get().(*[]byte)
	defer s.server.buffers.Put(buf)
	for {
		batch, clean, ok := s.out.take((*buf)[:0])
		if !ok {
			if s.out.err() != nil { // too much has piled up
				_ = s.conn.Close()
			}
			return
		}
		if cap(batch) <= keptBuffer {
			*buf = batch[:0]
		}
		rest, err := s.pen.try(batch)
		if err == nil && len(rest) > 0 {
			if !patience {
				rest = append([]byte(nil), rest...)
				go s.finish(rest, clean)
				return
			}
			err = s.pen.write(rest)
		}
		s.sent(err, clean)
	}
}

// finish writes the rest of a batch, and then what has come meanwhile.
func (s *session) finish(rest []byte, clean *work.Job) {
	defer s.recovered(nil)
	s.sent(s.pen.write(rest), clean)
	s.send(true)
}

// sent notes the outcome of a write. A connection that cannot be written to is
// closed, so that the reader ends.
func (s *session) sent(err error, clean *work.Job) {
	if err != nil {
		s.out.fail(err)
		_ = s.conn.Close()
		return
	}
	if clean != nil {
		s.departed(clean, time.Now())
	}
}
