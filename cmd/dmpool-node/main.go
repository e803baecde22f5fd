// Dmpool-node does what the pool's user may not do itself, where the node runs as
// a unit of systemd: it is the program of those units. Each takes its wish from a
// folder that the pool writes and this program distrusts.
//
//	dmpool-node run NETWORK          becomes the node             (user dmpool-node)
//	dmpool-node exit-report NETWORK  says why the node has ended  (user dmpool-node)
//	dmpool-node apply NETWORK        writes the node's options    (user dmpool-node)
//	dmpool-node copies NETWORK       shares copies of the wallet  (user dmpool-node)
//	dmpool-node install              installs Bitcoin Core        (root)
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		// bitcoind's own way to say it, which the exit report understands.
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var places bitcoind.Places
	switch {
	case len(args) == 1 && args[0] == "install":
		return install(places)
	case len(args) != 2:
		return errors.New("usage: dmpool-node run|exit-report|apply|copies NETWORK, or dmpool-node install")
	}
	network := args[1]
	switch args[0] {
	case "run":
		return launch(places, network)
	case "exit-report":
		why, err := places.Report(network, os.Getenv)
		if os.Getenv("SERVICE_RESULT") != "success" {
			fmt.Println(why) // for the journal; the end that was asked for needs no reason
		}
		return err
	case "apply":
		if err := places.ShareCopies(network); err != nil {
			fmt.Fprintln(os.Stderr, "Copies of the wallet not shared:", err) // which keeps no node from starting
		}
		return places.Apply(network)
	case "copies":
		return places.ShareCopies(network)
	}
	return fmt.Errorf("%q is nothing that dmpool-node does", args[0])
}

// launch finds the node's program and becomes it.
func launch(places bitcoind.Places, network string) error {
	if err := places.SpeakTo(network); err != nil {
		return err
	}
	binary, err := program(places)
	if err != nil {
		return err
	}
	return places.Launch(network, binary)
}

// program returns the installed Bitcoin Core, if it is as it was unpacked, or else
// the one that came with DMPool.
func program(places bitcoind.Places) (string, error) {
	folder := release.Folder{Root: places.Core()}
	v, err := folder.Current()
	if err != nil {
		return "", err
	}
	if v.IsZero() {
		return places.Bundled(), nil
	}
	if folder.Platform, err = release.PlatformOf(runtime.GOOS, runtime.GOARCH); err != nil {
		return "", err
	}
	if err := folder.Verify(v); err != nil {
		return "", err
	}
	return folder.Path(), nil
}

// install grants the pool's wish for a version of Bitcoin Core.
func install(places bitcoind.Places) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	platform, err := release.PlatformOf(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return err
	}
	folder := release.Folder{Root: places.Core(), Platform: platform, Runs: bitcoind.Runs}
	return folder.Grant(ctx, places.Requests(), release.Authority{Known: release.Pins(), Keys: release.ShippedKeys, Now: time.Now})
}
