package stratum

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// "row 59": a miner with a full receive window delays nobody, and is dropped
// when too much waits for it. The kernel drops it after unackedTime if little
// waits: TestSocketOptions.
func TestRowsSlowMiner(t *testing.T) {
	t.Run("row 59 a miner that stops reading", func(t *testing.T) {
		server := NewServer(Config{}, rowBackend())
		server.Publish(newJob(t, server, 1, hard), true)
		addr := serve(t, server)
		stuck := dial(t, addr)
		fmt.Fprint(stuck, subscribeLine("stuck")+authorizeLine)
		quick := dial(t, addr)
		fmt.Fprint(quick, subscribeLine("quick")+authorizeLine)
		buffer := make([]byte, 1<<20)
		hear(t, quick, buffer)

		// Jobs of 120 kB fill the buffers of both kernels soon.
		for i := range 200 {
			job := newJob(t, server, byte(i), hard)
			job.Branches = make([]chainhash.Hash, 1800)
			server.Publish(job, true)
			hear(t, quick, buffer)
			if len(server.Sessions()) == 1 {
				break
			}
		}
		infos := server.Sessions()
		if len(infos) != 1 || infos[0].UserAgent != "quick" {
			t.Errorf("sessions %v, want only the quick one", infos)
		}
	})
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// hear reads up to the end of a clean job.
func hear(t *testing.T, conn net.Conn, buffer []byte) {
	t.Helper()
	for tail := ""; !strings.HasSuffix(tail, ",true]}\n"); {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		tail = (tail + string(buffer[max(0, n-9):n]))
		tail = tail[max(0, len(tail)-9):]
	}
}

func TestSocketOptions(t *testing.T) {
	server := NewServer(Config{}, rowBackend())
	conn := dial(t, serve(t, server))
	fmt.Fprint(conn, subscribeLine("x"))
	if _, err := io.ReadAtLeast(conn, make([]byte, 4096), 1); err != nil {
		t.Fatal(err)
	}
	raw, err := server.live()[0].conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range []struct {
		name                string
		level, number, want int
	}{
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 45},
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 60_000},
	} {
		err := raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), option.level, option.number); err != nil || got != option.want {
				t.Errorf("%s = %d, %v, want %d", option.name, got, err, option.want)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// All miners of a farm come back at once after a power cut. None is refused,
// each has work.
func TestReconnectStorm(t *testing.T) {
	const miners = 500
	server := NewServer(Config{}, rowBackend())
	server.Publish(newJob(t, server, 1, hard), true)
	addr := serve(t, server)
	start := time.Now()
	var group sync.WaitGroup
	for range miners {
		group.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, subscribeLine("bitaxe")+authorizeLine)
			var text strings.Builder
			for buffer := make([]byte, 4096); !strings.Contains(text.String(), ",true]}"); {
				n, err := conn.Read(buffer)
				if err != nil {
					t.Error(err)
					return
				}
				text.Write(buffer[:n])
			}
		})
	}
	group.Wait()
	t.Logf("%d miners have work after %v", miners, time.Since(start))
}
