package stratum

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a connection that delivers its segments one by one.
type script struct {
	net.Conn
	segments []string
	written  strings.Builder
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.segments) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.segments[0])
	if s.segments[0] = s.segments[0][n:]; s.segments[0] == "" {
		s.segments = s.segments[1:]
	}
	return n, nil
}

func (s *script) Write(p []byte) (int, error)      { return s.written.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "script"} }

func TestLines(t *testing.T) {
	long := "{" + strings.Repeat("x", maxLine-1)
	tests := []struct {
		name     string
		segments []string
		want     []string
		err      error
	}{
		{"one", []string{"{a}\n"}, []string{"{a}"}, io.EOF},
		{"several in a segment", []string{"{a}\n{b}\r\n\n \r\n{c}\n{d"}, []string{"{a}", "{b}", "{c}"}, io.EOF},
		{"split", []string{"{", "a", "}", "\n{b", "}\n"}, []string{"{a}", "{b}"}, io.EOF},
		{"blank first", []string{"\r\n", " ", "\n{a}\n"}, []string{"{a}"}, io.EOF},
		{"later lines may be anything", []string{"{a}\nGET /\n"}, []string{"{a}", "GET /"}, io.EOF},
		{"longest", []string{long, "\n"}, []string{long}, io.EOF},
		{"too long", []string{long, "x\n"}, nil, errLineTooLong},
		{"too long without end", []string{long + "x"}, nil, errLineTooLong},
		{"HTTP", []string{"G"}, nil, errGarbage},
		{"TLS", []string{"\x16\x03\x01"}, nil, errGarbage},
		{"nothing", nil, nil, io.EOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLineReader(&script{segments: test.segments}, time.Time{})
			var got []string
			var err error
			for err == nil {
				var line []byte
				if line, err = l.next(maxLine); err == nil {
					got = append(got, string(line))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if !errors.Is(err, test.err) {
				t.Errorf("ended by %v, want %v", err, test.err)
			}
		})
	}
}

// Some firmware ends its lines twice. The answer must not wait for the line
// after the blank one.
func TestBlankLineBehind(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		for _, end := range []string{"\n\n", "\r\n\r\n", "\n \t\n\n"} {
			m := w.connect()
			m.send(strings.TrimSuffix(subscribeLine("x"), "\n") + end)
			if lines := m.received(); len(lines) != 1 {
				t.Errorf("line that ends with %q is answered by %q, want one line", end, lines)
			}
		}
	})
}

func TestEarlyLineLimit(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.connect()
		m.send("{" + strings.Repeat(" ", maxEarlyLine-10))
		if m.closed() {
			t.Error("closed below the limit")
		}
		m.send(strings.Repeat(" ", 20))
		if !m.closed() {
			t.Error("open above the limit")
		}
	})
}

func TestSlowLine(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		w.server.Publish(w.job(1, hard), true)
		m := w.ready("x")
		time.Sleep(time.Hour)
		m.send(`{"id":`)
		time.Sleep(lineTimeout / 2)
		m.send(`5`)
		time.Sleep(lineTimeout/2 - time.Second)
		if m.closed() {
			t.Error("closed before the time")
		}
		time.Sleep(2 * time.Second)
		if !m.closed() {
			t.Error("a line may take for ever")
		}
	})
}

func TestGarbage(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "PROXY TCP4\r\n", "[]\n"} {
			m := w.connect()
			m.send(text)
			if lines := m.received(); lines != nil || !m.closed() {
				t.Errorf("%q: answered %q, closed %v", text, lines, m.closed())
			}
		}
	})
}

func TestParseErrors(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.connect()
		const want = `{"id":null,"result":null,"error":[-32700,"Parse error",null]}`
		for range parseErrors - 1 {
			if got := m.ask("{bad"); got != want {
				t.Errorf("answered by %s", got)
			}
		}
		if m.closed() {
			t.Fatal("closed too early")
		}
		m.send("{bad\n")
		if got := m.received(); len(got) != 1 {
			t.Errorf("fifth answered by %q", got)
		}
		if !m.closed() {
			t.Error("open after the fifth")
		}
	})
}

func TestReadDeadlineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer func() { _ = client.Close() }()
		d := readDeadline{conn: server}
		last := time.Now().Add(time.Second)
		d.end(last)
		if err := d.set(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); err == nil || time.Now().After(last) {
			t.Errorf("Read = %v at %v, want a timeout at %v", err, time.Now(), last)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add("{a}\n{b}\r\n\n{c", 3)
	f.Add("{"+strings.Repeat("x", maxLine), 7)
	f.Add("\x16\x03", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = max(1, size%1000)
		s := &script{}
		for rest := text; rest != ""; {
			n := min(len(rest), size)
			s.segments, rest = append(s.segments, rest[:n]), rest[n:]
		}
		l := newLineReader(s, time.Time{})
		complete := strings.Split(text, "\n")
		for _, want := range complete[:len(complete)-1] {
			if want = strings.TrimSpace(want); want == "" {
				continue
			}
			line, err := l.next(maxLine)
			if errors.Is(err, errGarbage) || errors.Is(err, errLineTooLong) {
				return
			}
			if err != nil || string(line) != want {
				t.Fatalf("next = %q, %v, want %q", line, err, want)
			}
		}
		if line, err := l.next(maxLine); err == nil {
			t.Fatalf("line %q without an end", line)
		}
	})
}

// The quick parser and the general one must understand the same.
func FuzzSubmit(f *testing.F) {
	for _, seed := range []string{
		`{"id":4,"method":"mining.submit","params":["u","00000001","0000000000000000","00000001","00000001"]}`,
		`{"params": ["u", "1", "2", "3", "4", "5", "6"], "id": "x", "method": "mining.submit"}`,
		`{"id":null,"method":"mining.submit","params":["u","1","2","3","4",null]}`,
		`{"id":0,"method":"mining.submit","params":["u","1","2","3","4",null,"x"]} `,
		`{"id":01,"method":"mining.submit","params":["u","1","2","3","4"]}`,
		`{"id":1,"id":2,"method":"mining.submit","params":["u","1","2","3","4"]}`,
		`{"id":1,"method":"mining.submit","params":[]}`,
		`{"ID":1,"method":"mining.submit","params":["\u0075","1","2","3","4"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		quick, ok := parseSubmit(line)
		if !ok {
			return
		}
		m, err := ParseMessage(line)
		if err != nil || m.Method != "mining.submit" {
			t.Fatalf("parseSubmit takes %q, ParseMessage = %v, %v", line, m, err)
		}
		general, err := m.submission()
		if err != nil {
			t.Fatalf("parseSubmit takes %q, submission = %v", line, err)
		}
		if string(quick.id) == "" || string(quick.id) != string(general.id) {
			if len(quick.id)+len(general.id) > 0 {
				t.Fatalf("%q: id %q and %q", line, quick.id, general.id)
			}
		}
		text := func(s submission) [6]string {
			return [6]string{string(s.user), string(s.job), string(s.extranonce2), string(s.time), string(s.nonce), string(s.version)}
		}
		if text(quick) != text(general) {
			t.Fatalf("%q: %q and %q", line, text(quick), text(general))
		}
		_, _ = quick.solution()
	})
}

// Whatever a stranger sends, the server stays up and other miners are served.
func FuzzSession(f *testing.F) {
	f.Add(subscribeLine("x") + authorizeLine + `{"id":4,"method":"mining.submit","params":["u","00000001","0000000000000000","00000001","00000001"]}` + "\n")
	f.Add(`{"id":1,"method":"mining.configure","params":[["version-rolling","minimum-difficulty"],{"version-rolling.mask":"ffffffff"}]}` + "\n")
	f.Add(`{"id":1,"method":"mining.suggest_difficulty","params":["1e3"]}` + "\n" + `{"method":"mining.suggest_target","params":null}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		server := NewServer(Config{}, &fakeBackend{})
		server.Publish(newJob(t, server, 1, hard), true)
		conn := &script{segments: []string{subscribeLine("x") + authorizeLine, text}}
		_ = bare(server, conn, 1).read(t.Context())
		for line := range strings.Lines(conn.written.String()) {
			if _, err := ParseMessage([]byte(line)); err != nil || !strings.HasSuffix(line, "\n") {
				t.Fatalf("%q answered by %q", text, line)
			}
		}
	})
}
