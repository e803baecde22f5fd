package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/dmpool/dmpool/packaging"
	"github.com/dmpool/dmpool/webui"
)

// release is set at build time: -ldflags "-X main.release=1.2.3".
var release = "dev"

// built is the date of this release, which is that of its entry in the changelog.
func built() time.Time {
	if all := packaging.Releases(); len(all) > 0 {
		return all[0].Date
	}
	return time.Time{}
}

// news is what the releases brought, the newest first.
func news() []webui.News {
	var list []webui.News
	for _, r := range packaging.Releases() {
		list = append(list, webui.News{Version: r.Version, Date: r.Date, Points: r.Points})
	}
	return list
}

// version prints what was built, and from what.
func version(_ context.Context, c *cli) error {
	if err := c.parse(); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "dmpool %s%s %s/%s %s\n", release, revision(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return nil
}

// revision is the commit that the binary was built from, when it knows.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}
