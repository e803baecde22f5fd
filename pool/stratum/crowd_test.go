package stratum

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sys/unix"
)

// TestCrowd prints what many quiet miners cost: memory, the time a new tip takes
// to reach all of them, and CPU time while nothing happens. It asserts no time.
// CROWD sets the number of miners:
//
//	CROWD=9000 go test -run TestCrowd -v ./pool/stratum
func TestCrowd(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("CROWD"))
	if err != nil {
		n = 50
	}
	server := NewServer(Config{MaxSessions: n}, silentBackend{})
	job := newJob(t, server, 1, hard)
	job.Branches = make([]chainhash.Hash, 12)
	server.Publish(job, true)
	addr := serve(t, server)

	before := resident(t)
	start := time.Now()
	crowd := make([]int, n) // bare descriptors: the clients must not cost memory here
	for i := range crowd {
		crowd[i] = dialRaw(t, addr)
	}
	t.Cleanup(func() {
		for _, fd := range crowd {
			_ = unix.Close(fd)
		}
	})
	hear := func() {
		var wg sync.WaitGroup
		wg.Go(func() {
			buffer := make([]byte, 64<<10)
			for _, fd := range crowd {
				for tail := ""; !strings.HasSuffix(tail, "true]}\n"); {
					m, err := unix.Read(fd, buffer)
					if err != nil || m <= 0 {
						t.Errorf("read: %d, %v", m, err)
						return
					}
					tail = string(buffer[max(0, m-7):m])
				}
			}
		})
		wg.Wait()
	}
	for _, fd := range crowd {
		if _, err := unix.Write(fd, []byte(subscribeLine("cpuminer")+authorizeLine)); err != nil {
			t.Fatal(err)
		}
	}
	hear()
	t.Logf("%d miners have work after %v", n, time.Since(start))

	var took time.Duration
	for tip := range byte(3) {
		fresh := newJob(t, server, 2+tip, hard)
		fresh.Branches = job.Branches
		start = time.Now()
		server.Publish(fresh, true)
		took = time.Since(start)
		hear()
	}
	t.Logf("new tip written to all in %v", took)
	for range 4 { // each one halves the stacks that the handshakes needed
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("resident %.1f KiB per miner; heap %.1f KiB, stacks %.1f KiB",
		float64(resident(t)-before)/1024/float64(n), float64(m.HeapInuse)/1024/float64(n), float64(m.StackInuse)/1024/float64(n))

	if os.Getenv("CROWD") != "" {
		used := cpuTime(t)
		time.Sleep(10 * time.Second)
		t.Logf("%.2f %% of a core while nothing happens", (cpuTime(t)-used).Seconds()*10)
	}
	if got := len(server.Sessions()); got != n {
		t.Errorf("%d sessions, want %d", got, n)
	}
}

// serve starts a server on a port of the loopback interface and stops it after
// the test.
func serve(tb testing.TB, s *Server) net.Addr {
	tb.Helper()
	return servePort(tb, s, Port{})
}

func servePort(tb testing.TB, s *Server, p Port) net.Addr {
	tb.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.ServePort(ctx, ln, p) }()
	tb.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			tb.Errorf("Serve = %v", err)
		}
	})
	return ln.Addr()
}

func dialRaw(t *testing.T, addr net.Addr) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: addr.(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	return fd
}

// resident returns the memory that the process occupies, in bytes.
func resident(t *testing.T) uint64 {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("needs /proc")
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(raw), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
