package webui

import (
	"context"
	"time"
)

// miners is what the pages need of the appliance to say something about miners
// that the miners do not say themselves. Errors that a person may read are
// *problem; a ban or link that there is not is one with the status 404.
type miners interface {
	Worker(ctx context.Context, address, name string) (workerView, error)
	Reached(ctx context.Context, address string) (reached, error)

	Bans(ctx context.Context) ([]banLine, error)
	Ban(ctx context.Context, b banOrder) error
	LiftBan(ctx context.Context, who banned, op operator, ip string) error
	Marks(ctx context.Context, address string) ([]mark, error)
	SetMark(ctx context.Context, m mark, op operator, ip string) error

	Links(ctx context.Context, address string) ([]linkLine, error)
	Link(ctx context.Context, address string, op operator, ip string) (token string, err error)
	Unlink(ctx context.Context, address, id string, op operator, ip string) error
	Linked(ctx context.Context, token string) (address string, err error)
}

// banned is who a ban is about: an address, one of its workers, or a network.
type banned struct {
	Address string
	Worker  string // empty: all of the address
	Network string // an IP address or a prefix; then Address is empty
}

// banLine is a ban in force.
type banLine struct {
	banned
	Reason string
	Actor  string // the operator who ordered it
	At     time.Time
}

// banOrder asks for a ban.
type banOrder struct {
	banned
	Reason   string
	Operator operator
	IP       string
}

// mark is how the operators call an address (Worker is empty then) or a worker.
type mark struct {
	Address, Worker string
	Label           string
	Tags            []string
}

// linkLine is a link to an observer page that does not tell its address.
type linkLine struct {
	ID    string
	Actor string
	At    time.Time
}
