package alert

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	// sendPatience bounds one try.
	sendPatience = 30 * time.Second
	// firstRetry and lastRetry bound the time between two tries, which doubles.
	firstRetry = 30 * time.Second
	lastRetry  = time.Hour
	// lifetime is how long news are tried to be sent.
	lifetime = 24 * time.Hour
	// refusals is how often a channel may refuse news for what they are before they are
	// dropped, so that they do not keep back what follows.
	refusals = 5
	// bundle is how many news are one message at most.
	bundle = 100
	// idle is how long a courier sleeps when it has nothing to wait for: whoever brings
	// something wakes it.
	idle = 24 * time.Hour
)

// courier takes the news for one channel out of the table and sends them.
type courier struct {
	bell    *Bell
	channel int64
	woken   chan struct{}
	stop    context.CancelFunc
}

func (c *courier) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// run sends what there is until ctx ends.
func (c *courier) run(ctx context.Context) {
	for ctx.Err() == nil {
		sleep, err := c.pass(ctx)
		if err != nil && ctx.Err() == nil {
			c.bell.log.Error("Alerts not sent", "channel", c.channel, "err", err)
			sleep = firstRetry
		}
		timer := time.NewTimer(max(sleep, time.Millisecond))
		select {
		case <-ctx.Done():
		case <-c.woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pass sends one message with all that may be told now, and returns how long there is
// nothing to do. An error is one of the database: what keeps the channel from taking the
// message is written down with it.
func (c *courier) pass(ctx context.Context) (sleep time.Duration, err error) {
	b := c.bell
	channel, err := b.Channel(ctx, c.channel)
	if errors.Is(err, ErrNotFound) {
		return idle, nil
	}
	if err != nil {
		return 0, err
	}
	policy, err := b.Policy(ctx)
	if err != nil {
		return 0, err
	}
	now := b.now()
	end, quiet := policy.quietUntil(now.In(b.config.Zone()))
	waiting, held, err := b.waiting(ctx, channel.ID, quiet, policy.UrgentWaits)
	if err != nil {
		return 0, err
	}
	if len(waiting) == 0 {
		if held {
			return end.Sub(now), nil
		}
		return idle, nil
	}
	// A clock that was set back does not make it longer than it ever is.
	if left := min(channel.Next.Sub(now), lastRetry); left > 0 {
		return left, nil
	}
	free, err := b.freeAt(ctx, channel, now)
	if err != nil || free.After(now) {
		return free.Sub(now), err
	}
	message, err := b.message(ctx, policy, waiting)
	if err != nil {
		return 0, err
	}
	problem := b.deliver(ctx, channel, message)
	if ctx.Err() != nil {
		return 0, nil // it stops; what was sent perhaps is sent once more
	}
	return 0, b.note(context.WithoutCancel(ctx), channel, waiting, problem)
}

// deliver sends a message and returns why it has not arrived.
func (b *Bell) deliver(ctx context.Context, c Channel, m Message) error {
	secret, err := b.secret(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	switch c.Kind {
	case Webhook:
		err = b.sendWebhook(ctx, secret, m)
	case Ntfy:
		err = b.sendNtfy(ctx, c.Target, secret, m)
	case Telegram:
		err = b.sendTelegram(ctx, c.Target, secret, m)
	case SMTP:
		err = b.sendMail(ctx, c.Target, secret, m)
	}
	if late := ctx.Err(); err != nil && late != nil {
		err = late // whatever the library makes of it
	}
	return explain(err, secret)
}

// retry is how long a channel is left alone after so many failures in a row.
func retry(failures int, said time.Duration) time.Duration {
	wait := firstRetry
	for ; failures > 1 && wait < lastRetry; failures-- {
		wait *= 2
	}
	return min(max(wait, said), lastRetry)
}

// refusesContent tells whether a receiver has said that it does not want what was sent,
// whoever sends it.
func refusesContent(err error) bool {
	answer, ok := errors.AsType[*answerError](err)
	if !ok || answer.open {
		return false
	}
	switch answer.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// Test sends a message to a channel at once, whatever waits for it, and returns why it
// has not arrived, for people; nil when it has. It stands in the log of deliveries.
func (b *Bell) Test(ctx context.Context, id int64) (problem string, err error) {
	channel, err := b.Channel(ctx, id)
	if err != nil {
		return "", err
	}
	policy, err := b.Policy(ctx)
	if err != nil {
		return "", err
	}
	failure := b.deliver(ctx, channel, b.testMessage(policy))
	if failure != nil {
		problem = failure.Error()
	}
	return problem, b.noteTest(context.WithoutCancel(ctx), channel, problem)
}
