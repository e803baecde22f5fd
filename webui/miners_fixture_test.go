package webui

import (
	"context"
	"slices"
	"strings"
	"time"
)

// crew is what the operators of the golden box say about its miners.
type crew struct {
	bans     []banLine
	orders   []banOrder
	marks    []mark
	links    []linkLine
	unlinked []string
}

const linkToken = "GOLDENTOKENGOLDENTOKENGOLD"

// rtl turns the direction of what follows it.
const rtl = "\u202egnp.exe"

func newCrew() crew {
	return crew{
		bans: []banLine{
			{banned: banned{Address: newAddress}, Reason: "Sends nothing but duplicates " + hostile, Actor: "admin", At: noon.Add(-50 * time.Hour)},
			{banned: banned{Address: bobAddress, Worker: "old.rig"}, Reason: "Sold", Actor: "bert", At: noon.Add(-90 * time.Hour)},
			{banned: banned{Network: "203.0.113.0/24"}, Reason: "Floods the port", Actor: "admin", At: noon.Add(-900 * time.Hour)},
		},
		marks: []mark{
			{Address: aliceAddress, Label: "Alice"},
			{Address: aliceAddress, Worker: "bitaxe1", Label: "Kitchen", Tags: []string{"quiet", "wifi"}},
			{Address: bobAddress, Worker: "s19", Label: hostile, Tags: []string{hostile[:20]}},
		},
		links: []linkLine{{ID: "00aa11bb22cc", Actor: "admin", At: noon.Add(-30 * time.Hour)}},
	}
}

func (c *crew) Bans(context.Context) ([]banLine, error) { return c.bans, nil }

func (c *crew) Ban(_ context.Context, b banOrder) error {
	if strings.TrimSpace(b.Reason) == "" {
		return refused("A ban needs a reason of at most 200 characters in one line.")
	}
	c.orders = append(c.orders, b)
	c.bans = append(c.bans, banLine{banned: b.banned, Reason: b.Reason, Actor: b.Operator.Name, At: noon})
	return nil
}

func (c *crew) LiftBan(_ context.Context, who banned, _ operator, _ string) error {
	i := slices.IndexFunc(c.bans, func(b banLine) bool { return b.banned == who })
	if i < 0 {
		return notFound()
	}
	c.bans = slices.Delete(slices.Clone(c.bans), i, i+1)
	return nil
}

func (c *crew) Marks(_ context.Context, address string) ([]mark, error) {
	return slices.DeleteFunc(slices.Clone(c.marks), func(m mark) bool { return address != "" && m.Address != address }), nil
}

func (c *crew) SetMark(_ context.Context, m mark, _ operator, _ string) error {
	if len(m.Label) > 40 {
		return refused("A label is one line of at most 40 characters.")
	}
	c.marks = append(slices.DeleteFunc(slices.Clone(c.marks), func(old mark) bool { return old.Address == m.Address && old.Worker == m.Worker }), m)
	return nil
}

func (c *crew) Links(context.Context, string) ([]linkLine, error) { return c.links, nil }

func (c *crew) Link(context.Context, string, operator, string) (string, error) {
	return linkToken, nil
}

func (c *crew) Unlink(_ context.Context, _, id string, _ operator, _ string) error {
	c.unlinked = append(c.unlinked, id)
	return nil
}

func (c *crew) Linked(_ context.Context, token string) (string, error) {
	if token != linkToken {
		return "", notFound()
	}
	return aliceAddress, nil
}

func (g *golden) Reached(context.Context, string) (reached, error) {
	if g.fresh {
		return reached{}, nil
	}
	r := reached{From: noon.Add(-11 * time.Hour), Buckets: map[int]int64{}}
	for bucket, n := range []int64{610, 300, 160, 70, 41, 19, 0, 4, 1} {
		r.Buckets[10+bucket] = n
		r.Shares += n
	}
	return r, nil
}

// Worker is a worker of the list, with a connection when it is there.
func (g *golden) Worker(ctx context.Context, address, name string) (workerView, error) {
	all, err := g.Workers(ctx)
	if err != nil {
		return workerView{}, err
	}
	for _, w := range all {
		if w.Address != address || w.Name != name {
			continue
		}
		v := workerView{workerLine: w}
		if name == "bitaxe1" {
			v.Power = g.power
		}
		if w.Here() {
			v.Connections = []connectionLine{{
				ID: "6acfac01", IP: "192.168.1.77", Port: "tls", UserAgent: w.UserAgent, Others: 2, Difficulty: w.Difficulty, Rate: w.Rates.M10,
				Accepted: 310, Rejected: 2, Best: new(2.1e9), ConnectedAt: noon.Add(-2 * time.Hour), LastShare: w.LastShare,
			}}
		}
		for _, b := range g.bans {
			if b.Address == address && (b.Worker == "" || b.Worker == name) {
				v.Bans = append(v.Bans, b)
			}
		}
		return v, nil
	}
	return workerView{}, notFound()
}
