package appliance

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/pool/node"
)

// NodeTrial is what came of asking the node, just now, for all that mining needs.
type NodeTrial struct {
	At       time.Time
	Answer   time.Duration // to a small question
	Template time.Duration // to the question for a template; zero: none came
	Txs      int           // in that template
	Problem  string        // why miners could not work on it, a sentence; empty when they can
}

// tryNodeFor is how long a trial takes at most.
const tryNodeFor = 10 * time.Second

// TryNode asks the node as the pool does. Nothing changes by it.
func (a *Appliance) TryNode(ctx context.Context) NodeTrial {
	trial := NodeTrial{At: time.Now()}
	if a.pool.Load() == nil { // the node's client is made before the pool
		trial.Problem = "The node is not there yet."
		return trial
	}
	ctx, cancel := context.WithTimeout(ctx, tryNodeFor)
	defer cancel()
	trial.Problem = node.Sentence(a.askAll(ctx, &trial))
	return trial
}

func (a *Appliance) askAll(ctx context.Context, trial *NodeTrial) error {
	began := time.Now()
	if _, err := a.node.NetworkInfo(ctx); err != nil {
		return err
	}
	trial.Answer = time.Since(began)
	if err := a.node.Ready(ctx); err != nil {
		return err
	}
	began = time.Now()
	template, err := a.node.Template(ctx, "")
	if err != nil {
		return err
	}
	trial.Template, trial.Txs = time.Since(began), len(template.Txs)
	return nil
}
