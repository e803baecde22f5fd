package appliance

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

// untilEnded starts this test once more, in processes that the variable tells what to
// do, and kills them later and later, until one has ended by itself; it calls look after
// each and returns how many were killed.
func untilEnded(t *testing.T, variable, do string, look func()) (kills int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for most := 40 * time.Millisecond; ; most = most * 3 / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), rand.N(most))
		child := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), variable+"="+do)
		said, err := child.CombinedOutput()
		killed := ctx.Err() != nil
		cancel()
		look()
		if err == nil {
			return kills
		}
		if !killed {
			t.Fatalf("%s after %d kills: %v\n%s", do, kills, err, said)
		}
		kills++
	}
}
