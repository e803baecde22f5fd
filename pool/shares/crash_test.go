package shares

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// crashEnv makes the test binary the victim of TestFault44Kill: it appends shares to
// the log at this path and prints the seq of each that was acknowledged.
const crashEnv = "SHARES_CRASH_TEST"

func crashChild() bool {
	path := os.Getenv(crashEnv)
	if path == "" {
		return false
	}
	ctx := context.Background()

	l, err := Open(ctx, path, Options{})
	if err != nil {
		panic(err)
	}
	go func() { _ = l.Run(ctx) }()

	var output sync.Mutex
	var group sync.WaitGroup
	for i := range 2 * crowd { // so many that their sums come behind
		group.Go(func() {
			for n := 0; ; n++ {
				c, err := l.Append(ctx, share(fmt.Sprintf("account%d", i%8), 7, time.Duration(n)*time.Millisecond))
				if err != nil {
					panic(err)
				}
				if err := c.Wait(ctx); err != nil {
					panic(err)
				}
				output.Lock()
				fmt.Println(c.Seq())
				output.Unlock()
			}
		})
	}
	group.Wait()

	return true
}

// Whatever was acknowledged before a SIGKILL is there afterwards, and no number is given twice.
func TestFault44Kill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares.db")
	acknowledged := map[int64]bool{}

	for round := range 4 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), crashEnv+"="+path)
		output, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}

		count := 0
		for lines := bufio.NewScanner(output); lines.Scan(); count++ {
			seq, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if acknowledged[seq] {
				t.Errorf("seq %d was given twice", seq)
			}
			acknowledged[seq] = true
			if count == 2000+337*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait() // it was killed
		if count == 0 {
			t.Fatal("the child did nothing")
		}
	}

	l, _ := start(t, path, Options{})
	for _, seq := range column[int64](t, l, "SELECT seq FROM share") {
		delete(acknowledged, seq)
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged shares are lost", len(acknowledged))
	}
	checkSums(t, l)
}
