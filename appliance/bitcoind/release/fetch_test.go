package release

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serve starts a TLS server on this machine and returns it as a source.
func serve(t *testing.T, handler http.HandlerFunc) Source {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return hasty(Source{Site: server.URL, TLS: trusting(server)})
}

func trusting(servers ...*httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	for _, s := range servers {
		roots.AddCert(s.Certificate())
	}
	return &tls.Config{RootCAs: roots}
}

// whole answers as a file server does, Range and If-Range included.
func whole(w http.ResponseWriter, r *http.Request, tag string, content []byte) {
	if tag != "" {
		w.Header().Set("ETag", `"`+tag+`"`)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// cut answers with the head of what is asked for and then breaks off.
func cut(w http.ResponseWriter, r *http.Request, tag string, content []byte, after int) {
	whole(&breaking{ResponseWriter: w, left: after}, r, tag, content)
}

type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, _ := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 {
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

func TestGet(t *testing.T) {
	r, archive := published(t, Version{31, 1})
	other := bytes.Repeat([]byte("x"), len(archive))
	tests := []struct {
		name    string
		answer  func(try int, w http.ResponseWriter, r *http.Request)
		tries   int   // how often the server is to be asked
		want    error // nil: installed
		problem string
		keeps   bool // what has arrived

		patience time.Duration
		limit    int64
	}{
		{
			name: "good", tries: 1,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r, "a", archive) },
		},
		{
			name: "slow but steady", tries: 1,
			answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
				for _, piece := range [][]byte{archive[:100], archive[100:200], archive[200:300], archive[300:]} {
					_, _ = w.Write(piece)
					_ = http.NewResponseController(w).Flush()
					time.Sleep(20 * time.Millisecond)
				}
			},
		},
		{
			name: "goes on after a cut", tries: 2,
			answer: func(try int, w http.ResponseWriter, r *http.Request) {
				if try == 1 {
					cut(w, r, "a", archive, 200)
					return
				}
				if got := r.Header.Get("Range"); got != "bytes=200-" || r.Header.Get("If-Range") != `"a"` {
					t.Errorf("asks for range %q if %q", got, r.Header.Get("If-Range"))
				}
				whole(w, r, "a", archive)
			},
		},
		{
			name: "another file after the cut", tries: 2,
			answer: func(try int, w http.ResponseWriter, r *http.Request) {
				if try == 1 {
					cut(w, r, "old", other, 200)
					return
				}
				whole(w, r, "new", archive)
			},
		},
		{
			name: "server without ranges", tries: 2,
			answer: func(try int, w http.ResponseWriter, r *http.Request) {
				if r.Header.Del("Range"); try == 1 {
					cut(w, r, "a", archive, 200)
					return
				}
				whole(w, r, "a", archive)
			},
		},
		{
			name: "server without marks", tries: 2,
			answer: func(try int, w http.ResponseWriter, r *http.Request) {
				if try == 1 {
					cut(w, r, "", archive, 200)
					return
				}
				if r.Header.Get("Range") != "" {
					t.Error("asks for a piece of what may be another file")
				}
				whole(w, r, "", archive)
			},
		},
		{
			name: "goes on after a stall", tries: 2, patience: 3 * time.Second,
			answer: func(try int, w http.ResponseWriter, r *http.Request) {
				if try > 1 {
					whole(w, r, "a", archive)
					return
				}
				w.Header().Set("ETag", `"a"`)
				w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
				_, _ = w.Write(archive[:200])
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			},
		},
		{
			name: "busy for a moment", tries: 2,
			answer: func(try int, w http.ResponseWriter, r *http.Request) {
				if try == 1 {
					http.Error(w, "later", http.StatusServiceUnavailable)
					return
				}
				whole(w, r, "a", archive)
			},
		},
		{
			name: "silent", tries: 3, problem: "does not get on", patience: 200 * time.Millisecond,
			answer: func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		},
		{
			name: "always cut", tries: 3, problem: "does not get on", keeps: true,
			answer: func(try int, w http.ResponseWriter, r *http.Request) {
				if try == 1 {
					cut(w, r, "a", archive, 200)
				}
				panic(http.ErrAbortHandler)
			},
		},
		{
			name: "truncated at the source", tries: 1, want: ErrHash,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r, "a", archive[:len(archive)-1]) },
		},
		{
			name: "another file", tries: 1, want: ErrHash,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r, "a", other) },
		},
		{
			name: "a page instead of the file", tries: 1, want: ErrHash,
			answer: func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>Sign in to the Wi-Fi</h1>") },
		},
		{
			name: "too large, and says so", tries: 1, want: ErrTooLarge,
			answer: func(_ int, w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "200000001") },
		},
		{
			name: "larger than it says", tries: 1, want: ErrTooLarge,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			},
		},
		{
			name: "more than any disk holds", tries: 1, want: ErrNoSpace, limit: 1 << 61,
			answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(1<<60))
			},
		},
		{
			name: "not there", tries: 1, want: ErrMissing,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		},
		{
			name: "a piece that nobody asked for", tries: 3, problem: "another piece",
			answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", len(archive)-1, len(archive)))
				w.WriteHeader(http.StatusPartialContent)
			},
		},
		{
			name: "a piece of nothing", tries: 3, problem: "without saying which",
			answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Range", "bytes 9-3/4")
				w.WriteHeader(http.StatusPartialContent)
			},
		},
		{
			name: "around in a circle", tries: 5, want: ErrStrayed,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
			},
		},
		{
			name: "to itself without encryption", tries: 1, want: ErrStrayed,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://"+r.Host+r.URL.Path, http.StatusFound)
			},
		},
		{
			name: "to somebody else", tries: 1, want: ErrStrayed,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://somebody.example"+r.URL.Path, http.StatusFound)
			},
		},
		{
			name: "to a file of this machine", tries: 1, want: ErrStrayed,
			answer: func(_ int, w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // some of them wait
			var tries atomic.Int32
			source := serve(t, func(w http.ResponseWriter, r *http.Request) { tt.answer(int(tries.Add(1)), w, r) })
			source.Patience = tt.patience
			source.Limit = max(source.Limit, tt.limit)
			f := newFolder(t)
			err := f.Get(t.Context(), source, r, silent)
			switch {
			case tt.want != nil && !errors.Is(err, tt.want), tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
				t.Errorf("Get: %v, want %v%s", err, tt.want, tt.problem)
			case tt.want == nil && tt.problem == "" && err != nil:
				t.Errorf("Get: %v", err)
			}
			if got := int(tries.Load()); got != tt.tries {
				t.Errorf("asked %d times, want %d", got, tt.tries)
			}
			installed := f.Verify(r.Version) == nil
			if installed != (err == nil) {
				t.Errorf("installed: %v after %v", installed, err)
			}
			if part, err := os.ReadFile(f.at("download", r.File()+".part")); tt.keeps != (err == nil && len(part) == 200) {
				t.Errorf("%d bytes are kept (%v), want any: %v", len(part), err, tt.keeps)
			}
		})
	}
}

func TestGetFollowsToAnAllowedHost(t *testing.T) {
	r, archive := published(t, Version{31, 1})
	mirror := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { whole(w, r, "a", archive) }))
	defer mirror.Close()
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, mirror.URL+r.URL.Path, http.StatusFound)
	}))
	defer site.Close()
	source := hasty(Source{Site: site.URL, TLS: trusting(site, mirror)})

	f := newFolder(t)
	if err := f.Get(t.Context(), source, r, silent); !errors.Is(err, ErrStrayed) {
		t.Errorf("Get from a host that is not allowed: %v, want %v", err, ErrStrayed)
	}
	source.Hosts = []string{strings.TrimPrefix(mirror.URL, "https://")}
	if err := f.Get(t.Context(), source, r, silent); err != nil {
		t.Errorf("Get from an allowed host: %v", err)
	}
}

func TestGetRefusesStrangers(t *testing.T) {
	r, archive := published(t, Version{31, 1})
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { whole(w, r, "a", archive) }))
	defer plain.Close()
	encrypted := serve(t, func(w http.ResponseWriter, r *http.Request) { whole(w, r, "a", archive) })
	encrypted.TLS = nil // so its certificate says nothing to us

	f := newFolder(t)
	if err := f.Get(t.Context(), hasty(Source{Site: plain.URL}), r, silent); !errors.Is(err, ErrStrayed) {
		t.Errorf("Get without encryption: %v, want %v", err, ErrStrayed)
	}
	if err := f.Get(t.Context(), encrypted, r, silent); err == nil {
		t.Error("Get takes a file from a server with a stranger's certificate")
	}
	if err := f.Get(t.Context(), hasty(Source{Site: plain.URL, Plain: true}), r, silent); err != nil {
		t.Errorf("Get in a test: %v", err)
	}
}

// TestGetGoesOnAfterARestart is the power cut in the middle: another process
// finds the part and asks for the rest.
func TestGetGoesOnAfterARestart(t *testing.T) {
	r, archive := published(t, Version{31, 1})
	ctx, restart := context.WithCancelCause(t.Context())
	stopped := errors.New("the box is stopped")
	var ranges atomic.Value
	source := serve(t, func(w http.ResponseWriter, request *http.Request) {
		if ctx.Err() == nil {
			w.Header().Set("ETag", `"a"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
			_, _ = w.Write(archive[:300])
			_ = http.NewResponseController(w).Flush()
			<-request.Context().Done()
			return
		}
		ranges.Store(request.Header.Get("Range"))
		whole(w, request, "a", archive)
	})
	f := newFolder(t)
	err := f.Get(ctx, source, r, func(done, total int64) {
		if total != int64(len(archive)) {
			t.Errorf("total is %d, want %d", total, len(archive))
		}
		if done == 300 {
			restart(stopped)
		}
	})
	if !errors.Is(err, stopped) {
		t.Fatalf("Get: %v, want %v", err, stopped)
	}
	var first int64
	err = f.Get(t.Context(), source, r, func(done, _ int64) {
		if first == 0 {
			first = done
		}
	})
	if err != nil || ranges.Load() != "bytes=300-" || first <= 300 {
		t.Errorf("Get again: %v, range %v, first progress %d", err, ranges.Load(), first)
	}
}

// TestGetStartsOverWhenTheRestIsEmpty: everything had arrived when the power
// went, or the file became shorter.
func TestGetStartsOverWhenTheRestIsEmpty(t *testing.T) {
	r, archive := published(t, Version{31, 1})
	source := serve(t, func(w http.ResponseWriter, r *http.Request) { whole(w, r, "a", archive) })
	f := newFolder(t)
	part := f.at("download", r.File()+".part")
	for name, content := range map[string][]byte{part: archive, part + ".mark": []byte(`"a"`)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Get(t.Context(), source, r, silent); err != nil {
		t.Errorf("Get: %v", err)
	}
}

// TestFullDisk writes where every write fails as it does on a full disk.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full:", err)
	}
	defer full.Close()
	d := download{source: Source{}.withDefaults(), file: full, progress: silent}
	body := &bodyOf{*strings.NewReader("what does not fit")}
	if err := d.take(answer{total: -1, body: body}, func(error) {}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("take: %v, want %v", err, ErrNoSpace)
	}
	if err := noSpace(syscall.EIO); errors.Is(err, ErrNoSpace) {
		t.Error("a broken disk is called a full one")
	}
}

type bodyOf struct{ strings.Reader }

func (*bodyOf) Close() error { return nil }
