package drill

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// nice gives the pool ten times as much of a processor that both want, and wakes it
	// first. More would starve a drill where the node is busy for days, too.
	nice         = 10
	ioWhoProcess = 1       // of a thread (ioprio_set(2))
	ioIdle       = 3 << 13 // the class of those who get the disk when nobody else wants it
)

// StandBack lets all others have the processor and the disk first, from now on and
// for all that this process starts, and has the kernel end it first when memory is
// short. On Linux priority is a matter of each thread, and a new one is as the one that
// made it: so it goes over the threads until it finds none that it has not seen. What
// the system does not allow is left as it is.
func StandBack() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("800"), 0)
	seen := map[int]bool{}
	for news := true; news; {
		news = false
		tasks, _ := os.ReadDir("/proc/self/task")
		for _, task := range tasks {
			id, err := strconv.Atoi(task.Name())
			if err != nil || seen[id] {
				continue
			}
			seen[id], news = true, true
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, nice)
			_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioWhoProcess, uintptr(id), ioIdle)
		}
	}
}
