package stratum

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// silentBackend takes everything and keeps nothing.
type silentBackend struct{}

func (silentBackend) Authorize(context.Context, string) (Worker, error) {
	return Worker{Name: "w", FixedDifficulty: 1e-5}, nil
}
func (silentBackend) Found(Share)                                     {}
func (silentBackend) Accepted(context.Context, Share) (Commit, error) { return waiter(nil), nil }
func (silentBackend) Rejected(Worker, string)                         {}

// benchSession returns a session that has a job with twelve branches, as a full
// block has.
func benchSession(b *testing.B) (*session, *work.Job) {
	b.Helper()
	server := NewServer(Config{SubmitRate: 1e9}, silentBackend{})
	job := newJob(b, server, 1, hard)
	job.Branches = make([]chainhash.Hash, 12)
	server.Publish(job, true)
	s := bare(server, &script{segments: []string{subscribeLine("cpuminer") + authorizeLine}}, 1)
	if err := s.read(b.Context()); !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	return s, job
}

// BenchmarkSubmit takes a share from its line to its answer, without a network
// and with a log that commits at once: one core's share of the work.
func BenchmarkSubmit(b *testing.B) {
	b.Run("accepted", func(b *testing.B) {
		s, job := benchSession(b)
		line := []byte(submitLine(job, solve(b, 1, job, share(1e-5))))
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			s.server.seen.Forget(job.PrevHash) // so that it is no duplicate
			benchSubmit(b, s, line)
		}
		if s.state.accepted == 0 || len(s.state.rejected) != 0 {
			b.Errorf("accepted %d, rejected %v", s.state.accepted, s.state.rejected)
		}
	})
	b.Run("low difficulty", func(b *testing.B) {
		s, job := benchSession(b)
		line := []byte(submitLine(job, solve(b, 1, job, notShare(1e-5))))
		b.ReportAllocs()
		for b.Loop() {
			benchSubmit(b, s, line)
		}
	})
}

func benchSubmit(b *testing.B, s *session, line []byte) {
	if err := s.handle(b.Context(), line); err != nil {
		b.Fatal(err)
	}
	if err := s.flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	s.conn.(*script).written.Reset()
}

// BenchmarkRoundTrip sends one share after the other over a socket and waits
// for each answer; in "pipelined" it sends 50 at a time.
func BenchmarkRoundTrip(b *testing.B) {
	for name, burst := range map[string]int{"single": 1, "pipelined": 50} {
		b.Run(name, func(b *testing.B) {
			server := NewServer(Config{SubmitRate: 1e9}, silentBackend{})
			job := newJob(b, server, 1, hard)
			server.Publish(job, true)
			var lc net.ListenConfig
			ln, err := lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			served := make(chan error, 1)
			go func() { served <- server.Serve(ctx, ln) }()
			defer func() {
				stop()
				if err := <-served; err != nil {
					b.Error(err)
				}
			}()

			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			read := func(lines int) {
				buffer := make([]byte, 64<<10)
				for lines > 0 {
					n, err := conn.Read(buffer)
					if err != nil {
						b.Fatal(err)
					}
					lines -= strings.Count(string(buffer[:n]), "\n")
				}
			}
			write := func(text string) {
				if _, err := io.WriteString(conn, text); err != nil {
					b.Fatal(err)
				}
			}
			write(subscribeLine("cpuminer") + authorizeLine)
			read(4)
			line := submitLine(job, solve(b, 1, job, notShare(1e-5))) + "\n"
			text := strings.Repeat(line, burst)
			for b.Loop() {
				write(text)
				read(burst)
			}
			b.ReportMetric(float64(b.N*burst)/b.Elapsed().Seconds(), "shares/s")
		})
	}
}

// BenchmarkPublish hands a job with twelve branches to 1000 sessions.
func BenchmarkPublish(b *testing.B) {
	server := NewServer(Config{SubmitRate: 1e9}, silentBackend{})
	job := newJob(b, server, 1, hard)
	job.Branches = make([]chainhash.Hash, 12)
	var sessions []*session
	for i := range 1000 {
		s := bare(server, &script{segments: []string{subscribeLine("cpuminer") + authorizeLine}}, uint32(i))
		if err := s.read(b.Context()); !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	for b.Loop() {
		server.Publish(job.WithID(server.NextJobID(), job.Time), true)
		for _, s := range sessions {
			s.state.issued = s.state.issued[:0]
		}
	}
}
