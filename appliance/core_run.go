package appliance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
	"github.com/dmpool/dmpool/pool/node"
)

// trial is a release.Trial that this process watches.
type trial struct {
	release.Trial
	begun time.Time // when the new version had its first chance
	old   int       // process that still ran the version before, 0: none
	asked bool      // this process has had the node started again since the switch
}

// trialEvery is how often a version on trial is looked at.
const trialEvery = 2 * time.Second

// run downloads what is ordered, and watches versions on trial, until ctx ends.
func (k *coreKeeper) run(ctx context.Context) {
	tick := time.NewTicker(trialEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-k.orders:
			err := k.get(ctx, o.version)
			if ctx.Err() != nil {
				err = errors.New("the box was stopped; another try goes on from there")
			}
			// It is shown and noted; there is nobody else here to tell.
			_ = k.finish(ctx, "core.get", o, err)
		case <-tick.C:
			k.judge(ctx)
		}
	}
}

// get downloads a version and brings it into use.
func (k *coreKeeper) get(ctx context.Context, v release.Version) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	k.mu.Lock()
	k.stop = stop
	k.mu.Unlock()
	r, err := k.find(ctx, v)
	if err != nil {
		return err
	}
	k.say("Downloading Bitcoin Core " + v.String() + ".")
	if err := k.folder.Get(ctx, k.config.Source, r, k.progress); err != nil {
		return err
	}
	return k.use(ctx, v)
}

func (k *coreKeeper) say(text string) {
	k.mu.Lock()
	k.now.Text = text
	k.mu.Unlock()
	k.tell(text)
}

// find returns a version's file with its hash: one that is known, or one that
// enough builders have signed for.
func (k *coreKeeper) find(ctx context.Context, v release.Version) (release.Release, error) {
	if r := k.known(v); r != nil {
		return *r, nil
	}
	keys := k.config.Keys
	if keys == nil {
		shipped, err := release.ShippedKeys()
		if err != nil {
			return release.Release{}, err
		}
		keys = &shipped
	}
	releases, signers, err := k.config.Source.Vouched(ctx, v, *keys, time.Now())
	if err != nil {
		return release.Release{}, err
	}
	for _, r := range releases {
		if r.Platform == k.platform {
			k.a.log.Info("Bitcoin Core vouched for", "version", v, "signers", signers)
			return r, nil
		}
	}
	return release.Release{}, release.ErrMissing
}

// use brings an installed version into use. A running node is started again
// with it, and it is on trial from then on.
func (k *coreKeeper) use(ctx context.Context, v release.Version) error {
	if err := k.older(ctx, v); err != nil {
		return err
	}
	from, err := k.folder.Current()
	if err != nil {
		return err
	}
	tip, err := k.prepare(ctx)
	if err != nil {
		return err
	}
	if err := k.folder.Switch(v, tip.Blocks); err != nil {
		return err
	}
	if !from.IsZero() && from != v {
		entry := AuditEntry{Actor: "box", Action: "core.switch", Object: v.String(), Result: "ok", Detail: map[string]string{
			"from": from.String(), "height": strconv.Itoa(int(tip.Blocks)), "hash": tip.BestBlockHash.String(),
		}}
		if err := k.a.Audit(ctx, entry); err != nil {
			return err
		}
	}
	if err := k.findTrial(); err != nil {
		return err
	}
	select {
	case k.inUse <- struct{}{}:
	default:
	}
	k.restart()
	return nil
}

// prepare copies the wallet, which the new version may change for ever, and
// returns where the chain is. A node that does not answer has nothing that could
// get lost, and another version may be what it needs.
func (k *coreKeeper) prepare(ctx context.Context) (tip node.ChainInfo, err error) {
	client := k.a.NodeClient()
	if client == nil {
		return tip, nil
	}
	if tip, err = client.BlockchainInfo(ctx); err == nil {
		_, err = k.a.backUpWallet(ctx)
	}
	if node.Unavailable(err) && ctx.Err() == nil {
		return tip, nil
	}
	if err != nil {
		return tip, fmt.Errorf("the wallet has to be copied before another version opens it, and that did not go: %w", err)
	}
	return tip, nil
}

// restart starts a running node again, with what is in use then.
func (k *coreKeeper) restart() {
	k.mu.Lock()
	if k.trial != nil {
		k.trial.asked = true
	}
	k.mu.Unlock()
	if own := k.a.ownNode(); own != nil {
		own.Restart()
	}
}

// findTrial looks whether the version in use has yet to prove itself.
func (k *coreKeeper) findTrial() error {
	found, on, err := k.folder.Trial()
	if err != nil || !on {
		return err
	}
	t := &trial{Trial: found, asked: k.a.config.Service == nil}
	if runner := k.a.runner.Load(); runner != nil {
		t.old = runner.State().PID
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trial, k.seen = t, true
	k.now = CoreStatus{
		State: CoreTrial, Version: t.To.String(),
		Text: fmt.Sprintf("Bitcoin Core %s is on trial: it has half an hour to come to block %d, else the box goes back to %s.", t.To, t.Height, t.From),
	}
	return nil
}

// judge looks at a version on trial and does what follows from it. A node that is a
// service may have outlived the pool that had the version switched, so that it still
// runs the one before: it is started again first, once.
func (k *coreKeeper) judge(ctx context.Context) {
	client, runner := k.a.NodeClient(), k.a.runner.Load()
	if client == nil || runner == nil {
		return
	}
	k.mu.Lock()
	t := k.trial
	if t == nil {
		late := k.a.config.Service != nil && !k.seen
		k.mu.Unlock()
		if !late {
			return
		}
		if err := k.findTrial(); err != nil { // of an installation that went on
			k.a.log.Debug("Trial of Bitcoin Core not known", "err", err)
		}
		return
	}
	if !t.asked {
		t.asked, t.old = true, runner.State().PID
		k.mu.Unlock()
		k.restart()
		return
	}
	if t.begun.IsZero() {
		t.begun = time.Now()
	}
	after := time.Since(t.begun)
	k.mu.Unlock()
	verdict, why := t.Judge(look(ctx, client, runner, t.old), after)
	if ctx.Err() != nil || verdict == release.Wait {
		return
	}
	if verdict == release.Keep {
		k.close(ctx, t, CoreIdle, fmt.Sprintf("Bitcoin Core %s is in use and has proved itself.", t.To), k.folder.Keep(t.Trial))
		return
	}
	err := k.folder.Back(t.Trial)
	k.close(ctx, t, CoreFailed, fmt.Sprintf("Bitcoin Core %s did not prove itself, so the box went back to %s. %s", t.To, t.From, why), err)
	k.restart()
}

// look returns what can be seen of the node, unless it is still the process old.
func look(ctx context.Context, client *node.Client, runner bitcoind.Runner, old int) (s release.Sight) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	state := runner.State()
	if state.Phase != bitcoind.PhaseReady || state.PID == old {
		return s
	}
	chain, err := client.BlockchainInfo(ctx)
	if err != nil {
		return s
	}
	s.Height = chain.Blocks
	switch err := client.Vouch(ctx); {
	case node.Refused(err):
		s.Refused = node.Sentence(err)
	case err == nil:
		s.Serving = true
	}
	return s
}

// close ends a trial, whichever way it went.
func (k *coreKeeper) close(ctx context.Context, t *trial, state, text string, err error) {
	result := "kept"
	if state == CoreFailed {
		result = "went back"
	}
	if err != nil {
		state, text, result = CoreFailed, fmt.Sprintf("The trial of Bitcoin Core %s could not be ended: %v.", t.To, err), err.Error()
	}
	k.a.log.Info("Trial of Bitcoin Core ended", "version", t.To, "from", t.From, "text", text)
	entry := AuditEntry{Actor: "box", Action: "core.trial", Object: t.To.String(), Result: result, Detail: map[string]string{"from": t.From.String()}}
	if err := k.a.Audit(ctx, entry); err != nil {
		k.a.log.Error("Audit entry not written", "action", entry.Action, "err", err)
	}
	k.mu.Lock()
	k.trial = nil
	k.now = CoreStatus{State: state, Version: t.To.String(), Text: text}
	k.mu.Unlock()
	k.tell(text)
}

// getWanted orders the newest version for a box that has no node's program, when
// the set-up said so.
func (k *coreKeeper) getWanted(ctx context.Context) {
	var wishes nodeSettings
	if _, err := k.a.readSetting(ctx, settingNode, &wishes); err != nil || !wishes.Download || k.a.config.External.named() {
		return
	}
	if _, err := k.locate(ctx); !errors.Is(err, bitcoind.ErrNotFound) {
		return
	}
	if err := k.a.GetCore(ctx, k.newest().String(), "box", ""); err != nil {
		k.a.log.Warn("Bitcoin Core not ordered", "err", err)
	}
}

// await returns when there is a program that the node can run. Without one the
// box waits: a person can get Bitcoin Core on the node page. A node that somebody
// else runs has its own.
func (k *coreKeeper) await(ctx context.Context) error {
	if k.a.config.External.named() {
		return nil
	}
	for told := false; ; {
		_, err := k.locate(ctx)
		if !errors.Is(err, bitcoind.ErrNotFound) && !errors.Is(err, release.ErrDamaged) {
			return err
		}
		if !told {
			k.a.log.Warn("No node to run; get Bitcoin Core on the node page", "err", err)
			told = true
		}
		k.mu.Lock()
		if k.now.State == CoreIdle {
			k.now.Text = asReason(err)
		}
		k.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.inUse:
		}
	}
}

// asReason says to somebody at the pages why there is no node.
func asReason(err error) string {
	if stray, ok := errors.AsType[*strayError](err); ok {
		return fmt.Sprintf("%s is on this machine and is not used, because it leaves Bitcoin on %s for a chain with another proof of work. Get Bitcoin Core on the node page.",
			stray.program, stray.network)
	}
	if errors.Is(err, bitcoind.ErrNotFound) {
		return "There is no Bitcoin node on this box yet. Get Bitcoin Core on the node page."
	}
	return "The node cannot start: " + err.Error() + "."
}
