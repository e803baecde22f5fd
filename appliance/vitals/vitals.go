// Package vitals measures the machine: how busy its processor is, how much memory
// is left, what goes over its network, how warm it is.
//
// Everything is read from the kernel's own files. The service's unit hides most of
// /proc from the pool (ProcSubset=pid); the control group at the root counts the
// same, so it is asked where /proc is silent. What neither tells is not known, which
// is a nil pointer and never 0.
package vitals

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Reading is what the kernel says at one moment. Counters grow from the start of the
// machine on; two readings make a rate.
type Reading struct {
	At        time.Time
	Busy      *time.Duration // counter: time that all cores together were busy
	Cores     int
	Memory    *int64 // bytes in all
	Available *int64 // bytes that programs could still get
	Own       *int64 // bytes of this process in memory
	Received  *int64 // counter: bytes over all networks but loopback
	Sent      *int64 // counter
	Celsius   *float64
}

// Read measures now.
func Read(now time.Time) Reading {
	r := read(os.DirFS("/"), now)
	var system unix.Sysinfo_t
	if unix.Sysinfo(&system) != nil {
		return r
	}
	if r.Memory == nil {
		r.Memory = new(int64(system.Totalram) * int64(system.Unit))
	}
	if r.Available == nil {
		if cached := cgroupCache(os.DirFS("/")); cached != nil {
			r.Available = new(int64(system.Freeram)*int64(system.Unit) + *cached)
		}
	}
	return r
}

// read is what the files below root tell.
func read(root fs.FS, now time.Time) Reading {
	r := Reading{At: now, Cores: runtime.NumCPU(), Busy: busy(root)}
	if r.Busy == nil {
		r.Busy = cgroupBusy(root)
	}
	meminfo := fields(root, "proc/meminfo")
	r.Memory, r.Available = kibi(meminfo["MemTotal:"]), kibi(meminfo["MemAvailable:"])
	r.Own = kibi(fields(root, "proc/self/status")["VmRSS:"])
	r.Received, r.Sent = traffic(root)
	r.Celsius = warmest(root)
	return r
}

// tick is the unit of /proc/stat, USER_HZ, which is 100 on every machine that Go runs on.
const tick = 10 * time.Millisecond

// busy adds up the first line of /proc/stat but for idle and iowait, which are the
// fourth and fifth figure, and guest time, which is in user time already.
func busy(root fs.FS) *time.Duration {
	figures := fields(root, "proc/stat")["cpu"]
	if len(figures) < 5 {
		return nil
	}
	var sum int64
	for i, text := range figures[:min(len(figures), 8)] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil
		}
		if i != 3 && i != 4 {
			sum += n
		}
	}
	return new(time.Duration(sum) * tick)
}

const cgroupRoot = "sys/fs/cgroup"

func cgroupBusy(root fs.FS) *time.Duration {
	n := integer(fields(root, path.Join(cgroupRoot, "cpu.stat"))["usage_usec"])
	if n == nil {
		return nil
	}
	return new(time.Duration(*n) * time.Microsecond)
}

// cgroupCache is the memory that holds files and can be given to programs.
func cgroupCache(root fs.FS) *int64 {
	stat := fields(root, path.Join(cgroupRoot, "memory.stat"))
	active, inactive := integer(stat["active_file"]), integer(stat["inactive_file"])
	if active == nil || inactive == nil {
		return nil
	}
	return new(*active + *inactive)
}

// traffic sums /proc/net/dev, whose lines are "name: received … sent …" with eight
// figures each.
func traffic(root fs.FS) (received, sent *int64) {
	lines := fields(root, "proc/self/net/dev")
	for name, figures := range lines {
		if !strings.HasSuffix(name, ":") || name == "lo:" || len(figures) < 9 {
			continue
		}
		in, out := integer(figures[:1]), integer(figures[8:9])
		if in == nil || out == nil {
			continue
		}
		if received == nil {
			received, sent = new(int64), new(int64)
		}
		*received += *in
		*sent += *out
	}
	return received, sent
}

// warmest is the highest of the thermal zones, which are in thousandths of a degree.
func warmest(root fs.FS) *float64 {
	zones, err := fs.Glob(root, "sys/class/thermal/thermal_zone*/temp")
	if err != nil {
		return nil
	}
	var highest *float64
	for _, zone := range zones {
		raw, err := fs.ReadFile(root, zone)
		if err != nil {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(string(raw)), 64)
		if err == nil && n > 0 && (highest == nil || n/1000 > *highest) {
			highest = new(n / 1000)
		}
	}
	return highest
}

// fields reads a file of lines "name figure figure …" by name.
func fields(root fs.FS, name string) map[string][]string {
	raw, err := fs.ReadFile(root, name)
	if err != nil {
		return nil
	}
	all := map[string][]string{}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 1 {
			all[f[0]] = f[1:]
		}
	}
	return all
}

func integer(figures []string) *int64 {
	if len(figures) == 0 {
		return nil
	}
	n, err := strconv.ParseInt(figures[0], 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

func kibi(figures []string) *int64 {
	n := integer(figures)
	if n == nil {
		return nil
	}
	return new(*n << 10)
}
