package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// ChildConfig says what a Child runs and how patient it is. Zero durations mean
// the defaults.
type ChildConfig struct {
	Care          // its Logger gets the node's log lines at level Debug
	Binary string // path of bitcoind, see Find

	// Locate is asked for the path before each start, instead of Binary; its
	// error is a sentence on why there is none. Nil: Binary it is.
	Locate func(context.Context) (string, error)
	// Stop asks the node by RPC to stop. Required; an error is answered with
	// SIGTERM, which means the same.
	Stop func(context.Context) error

	LogLines  int           // of the node's log to keep; 500
	TermAfter time.Duration // from a successful Stop to SIGTERM, in case it was lost; 30 s
	StopLimit time.Duration // from there to SIGKILL, which loses blocks; 10 min
}

// Child runs bitcoind as a child of this process, which ends with it. Its
// methods are safe for concurrent use; Run is called once.
type Child struct {
	*supervisor
	config ChildConfig
	log    *ring
}

var _ Runner = (*Child)(nil)

// NewChild prepares a Child and starts nothing.
func NewChild(config ChildConfig) *Child {
	config.Care = config.withDefaults()
	if config.LogLines <= 0 {
		config.LogLines = 500
	}
	usual(&config.TermAfter, 30*time.Second)
	usual(&config.StopLimit, 10*time.Minute)

	c := &Child{config: config}
	c.log = newRing(config.LogLines, func(line string) { config.Logger.Debug("Node log", "line", line) })
	c.supervisor = newSupervisor(&c.config.Care, c)
	return c
}

// Log returns the newest lines of the node's log, oldest first.
func (c *Child) Log() []string { return c.log.since(0) }

// prepare refuses a configuration that cannot be written, before anything is tried.
func (c *Child) prepare() error {
	if c.config.Probe == nil || c.config.Stop == nil {
		return errors.New("it needs a Probe and a Stop")
	}
	return c.config.Conf.Write()
}

func (c *Child) start(ctx context.Context) (instance, failure) {
	if f, ok := c.obstacle(ctx); ok {
		return nil, f
	}
	// Whatever somebody wrote into it meanwhile: a line that the node refuses would
	// keep it down for good.
	if err := errors.Join(c.config.Conf.Write(), c.config.Conf.dropEmptyKey()); err != nil {
		return nil, unwritable(c.config.Conf.Dir, err)
	}
	c.forgetWish()
	binary, err := c.locate(ctx)
	if err != nil {
		return nil, failure{class: ClassBinary, text: fmt.Sprintf("The node cannot start: %v", err)}
	}
	if f, ok := c.config.Conf.inherit(ctx, binary); !ok {
		return nil, f
	}
	args, failed := c.arguments(ctx, binary)
	if failed.class != "" || ctx.Err() != nil {
		return nil, failed
	}
	mark := c.log.mark()
	p, err := start(binary, args, c.log)
	if err != nil {
		return nil, failure{class: ClassBinary, text: fmt.Sprintf("The node's program cannot be started: %v", err)}
	}
	return &offspring{process: p, child: c, mark: mark}, failure{}
}

func (c *Child) locate(ctx context.Context) (string, error) {
	if c.config.Locate == nil {
		return c.config.Binary, nil
	}
	return c.config.Locate(ctx)
}

// hold has nothing to do: a child that has ended stays so.
func (c *Child) hold(context.Context) {}

// parting tells that a child ends with Run.
func (c *Child) parting() string { return "The node is stopped." }

// obstacle looks for what would keep the node from starting, or, worse, from
// telling: a ZMQ port that is taken is no error to bitcoind.
func (c *Child) obstacle(ctx context.Context) (failure, bool) {
	holder, pid, err := lockHolder(c.config.Conf.lockFile())
	switch {
	case err != nil:
		return unwritable(c.config.Conf.Dir, err), true
	case pid != 0:
		return failure{class: ClassLock, text: fmt.Sprintf("Another bitcoind, %s, still uses %s; waiting for it to finish. "+
			"If it is not ending, stop it with: kill %d", holder, c.config.Conf.Dir, pid)}, true
	case holder != "":
		return failure{class: ClassLock, text: fmt.Sprintf("Another bitcoind, %s, still uses %s; waiting for it to finish", holder, c.config.Conf.Dir)}, true
	}
	return c.config.Conf.takenPort(ctx)
}

// takenPort returns the first of the node's ports that another program has.
func (c Conf) takenPort(ctx context.Context) (failure, bool) {
	for _, port := range []int{c.RPCPort, c.ZMQPort, c.P2PPort} {
		if port == 0 {
			continue
		}
		if err := CheckPort(ctx, port); err != nil {
			return failure{class: ClassPort, text: fmt.Sprintf("The node cannot start: %v. Stop that program or choose another port", err)}, true
		}
	}
	return failure{}, false
}

// offspring is the process of a Child.
type offspring struct {
	*process
	child *Child
	mark  int // its first line in the log
}

func (o *offspring) gone() <-chan struct{} { return o.done }

// leave stops the process: it would end with this one in any case.
func (o *offspring) leave(ctx context.Context) {
	o.child.live(PhaseStopping, stopping)
	o.stop(ctx)
}

// stop ends the process without losing what it holds in memory: it asks by RPC,
// then by SIGTERM, and waits. SIGKILL comes only at the limit.
func (o *offspring) stop(ctx context.Context) {
	defer o.note()
	config := &o.child.config
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.ProbeTimeout)
	err := config.Stop(ask)
	cancel()
	if err == nil && o.ended(config.TermAfter) {
		return
	}

	o.signal(syscall.SIGTERM)
	if o.ended(config.StopLimit) {
		return
	}
	config.Logger.Error("Node killed: it did not stop in time and may have lost blocks", "pid", o.pid(), "limit", config.StopLimit)
	o.signal(syscall.SIGKILL)
	<-o.done
}

// note writes down that the process is gone.
func (o *offspring) note() {
	o.child.log.flush()
	o.child.config.Logger.Info("Node ended", "pid", o.pid(), "status", o.exit().String())
}

func (o *offspring) end() failure {
	o.note()
	return classify(endingOf(o.exit()), o.child.log.since(o.mark), o.child.config.Conf.Dir)
}
