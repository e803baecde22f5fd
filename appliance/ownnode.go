package appliance

import (
	"context"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
)

// chooseNode takes the node that the set-up named, unless the start names one.
func (a *Appliance) chooseNode(ctx context.Context) (err error) {
	if !a.config.External.named() {
		var wishes nodeSettings
		if _, err := a.readSetting(ctx, settingNode, &wishes); err != nil {
			return err
		}
		if a.config.External = wishes.External; a.config.External.named() {
			a.config.Service = nil // the package's unit asks for it, before anybody has said more
		}
	}
	a.login, err = a.config.External.login()
	return err
}

// makeNode makes the node's runner and the client to it, and returns where the
// node announces blocks.
func (a *Appliance) makeNode(ctx context.Context, wallet string) (runner bitcoind.Runner, zmq string, err error) {
	if a.config.External.named() {
		login := a.login
		login.Wallet, login.Network = wallet, a.network
		a.node = node.New(login)
		return a.watchExternal(), node.AskZMQ, nil
	}
	conf, err := a.nodeConf(ctx)
	if err != nil {
		return nil, "", err
	}
	a.node = node.New(node.Config{URL: conf.RPCURL(), CookieFile: conf.CookieFile(), Wallet: wallet, Network: a.network})
	care := bitcoind.Care{Conf: conf, Probe: a.probeNode, Warmup: warmingUp, Mend: a.mendNode, Logger: a.log}
	if a.config.Service != nil {
		return a.runAsUnit(care), conf.ZMQ(), nil
	}
	return bitcoind.NewChild(bitcoind.ChildConfig{
		Care:   care,
		Locate: a.core.locate, Stop: a.node.Stop,
	}), conf.ZMQ(), nil
}

// ownNode is the runner of a node that the box runs itself.
type ownNode interface {
	bitcoind.Runner
	Restart()
	Repair() error
}

// ownNode returns the node that the box runs itself, nil when there is none (yet).
func (a *Appliance) ownNode() ownNode {
	if r := a.runner.Load(); r != nil {
		if own, ok := r.Runner.(ownNode); ok {
			return own
		}
	}
	return nil
}

// nodeConf is the node's configuration. Its ports are free ones, chosen once
// and kept.
func (a *Appliance) nodeConf(ctx context.Context) (bitcoind.Conf, error) {
	var wishes nodeSettings
	if _, err := a.readSetting(ctx, settingNode, &wishes); err != nil {
		return bitcoind.Conf{}, err
	}
	var ports nodePorts
	known, err := a.readSetting(ctx, settingPorts, &ports)
	if err != nil {
		return bitcoind.Conf{}, err
	}
	if !known {
		free, err := bitcoind.FreePorts(ctx, 2)
		if err != nil {
			return bitcoind.Conf{}, err
		}
		ports = nodePorts{RPC: free[0], ZMQ: free[1]}
		if err := a.saveSetting(ctx, settingPorts, ports); err != nil {
			return bitcoind.Conf{}, err
		}
	}
	plan, err := a.nodePlan(ctx, wishes)
	if err != nil {
		return bitcoind.Conf{}, err
	}
	conf := bitcoind.Conf{Network: a.network, Dir: a.nodeDir()}
	if a.config.Service != nil {
		conf = a.config.Service.Places.Conf(a.network)
	}
	conf.RPCPort, conf.ZMQPort = ports.RPC, ports.ZMQ
	conf.PruneMiB, conf.DBCacheMiB, conf.Offline = plan.PruneMiB, plan.DBCacheMiB, a.config.Offline
	return conf, nil
}
