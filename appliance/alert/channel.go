package alert

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// The kinds of channels.
const (
	Webhook  = "webhook"
	Ntfy     = "ntfy"
	Telegram = "telegram"
	SMTP     = "smtp"
)

// ChannelKinds are all kinds of channels.
func ChannelKinds() []string { return []string{Ntfy, Telegram, SMTP, Webhook} }

// How a mail server is spoken to.
const (
	SecurityStartTLS = "starttls" // encrypted from the second line on; never without
	SecurityTLS      = "tls"
	SecurityNone     = "none" // for a server in the home network
)

// Target is where a channel leads, as far as operators may read it.
type Target struct {
	Server   string `json:"server,omitempty"`   // of ntfy its URL; of e-mail the host; of a webhook the host in its URL, to be shown
	Topic    string `json:"topic,omitempty"`    // ntfy
	Chat     string `json:"chat,omitempty"`     // Telegram: number or @name
	Port     int    `json:"port,omitempty"`     // e-mail
	Security string `json:"security,omitempty"` // e-mail
	User     string `json:"user,omitempty"`     // e-mail; empty: the server asks for none
	From     string `json:"from,omitempty"`     // e-mail
	To       string `json:"to,omitempty"`       // e-mail, addresses with commas between
}

// Secret is what nobody is shown again. What is empty in a change stays as it was, but
// for a token or password when the channel leads to another server then.
type Secret struct {
	URL   string `json:"url,omitempty"`   // of a webhook, since many hold a token
	Token string `json:"token,omitempty"` // of ntfy and Telegram, the password of e-mail, the key of a webhook's signature
}

// Channel is one way out of the box.
type Channel struct {
	ID      int64
	Kind    string
	Name    string
	Enabled bool
	PerHour int // messages at most
	Target  Target

	Signed   bool      // there is a token, password or key
	Failures int       // in a row
	Next     time.Time // not tried before; zero: at once
	Sent     time.Time // of the last message that arrived; zero: none
	Problem  string    // why the last one did not, a sentence

	sealed []byte
}

// Bounds of channels.
const (
	maxChannels = 20
	maxField    = 300
	maxPerHour  = 1000
)

// Channels returns all channels in the order of their making.
func (b *Bell) Channels(ctx context.Context) ([]Channel, error) {
	return readChannels(ctx, b.db.Reader())
}

func readChannels(ctx context.Context, q sqlite.Querier) ([]Channel, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT id, kind, name, enabled, per_hour, config, sealed, next_at, failures, sent_at, problem FROM alert_channel ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	list, err := sqlite.Collect(rows, func(r *sql.Rows) (Channel, error) {
		var c Channel
		var config string
		var next int64
		var sent sql.NullInt64
		err := r.Scan(&c.ID, &c.Kind, &c.Name, &c.Enabled, &c.PerHour, &config, &c.sealed, &next, &c.Failures, &sent, &c.Problem)
		if err != nil {
			return c, err
		}
		if next > 0 {
			c.Next = time.UnixMilli(next)
		}
		if sent.Valid {
			c.Sent = time.UnixMilli(sent.Int64)
		}
		about := struct {
			*Target
			Signed *bool `json:"signed"`
		}{&c.Target, &c.Signed}
		return c, json.Unmarshal([]byte(config), &about)
	})
	if err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	return list, nil
}

// Channel returns one channel, or [ErrNotFound].
func (b *Bell) Channel(ctx context.Context, id int64) (Channel, error) {
	return readChannel(ctx, b.db.Reader(), id)
}

func readChannel(ctx context.Context, q sqlite.Querier, id int64) (Channel, error) {
	list, err := readChannels(ctx, q)
	if err != nil {
		return Channel{}, err
	}
	i := slices.IndexFunc(list, func(c Channel) bool { return c.ID == id })
	if i < 0 {
		return Channel{}, ErrNotFound
	}
	return list[i], nil
}

// owner is what a channel's secrets are bound to.
func (c Channel) owner() string { return fmt.Sprintf("alert channel %d", c.ID) }

// secret opens what is sealed of a channel.
func (b *Bell) secret(c Channel) (s Secret, err error) {
	text, err := b.config.Open(c.owner(), c.sealed)
	if err != nil {
		return s, refuse("what is secret of this channel cannot be read any more; type it in again")
	}
	return s, json.Unmarshal(text, &s)
}

// SetChannel changes a channel, or makes one when it has no id, in the transaction of
// its audit row, and returns it as it is then. It is tried again at once. The error may
// be [ErrNotFound] or an [*Error].
func (b *Bell) SetChannel(ctx context.Context, tx *sql.Tx, c Channel, secret Secret) (Channel, error) {
	var was Channel
	var old Secret
	if c.ID != 0 {
		var err error
		if was, err = readChannel(ctx, tx, c.ID); err != nil {
			return c, err
		}
		c.Kind = was.Kind
		if old, err = b.secret(was); err != nil && (was.Signed && secret.Token == "" || c.Kind == Webhook && secret.URL == "") {
			return c, err
		}
	}
	if secret.URL == "" {
		secret.URL = old.URL
	}
	typed := secret.Token
	if typed == "" {
		secret.Token = old.Token
	}
	c, err := c.check(secret)
	if err == nil && typed == "" && c.Kind != Webhook && !c.Target.knows(was.Target) {
		secret.Token = "" // it was for another server
		c, err = c.check(secret)
	}
	if err != nil {
		return c, err
	}
	c.Signed = secret.Token != ""
	config, err := json.Marshal(struct {
		Target
		Signed bool `json:"signed"`
	}{c.Target, c.Signed})
	if err != nil {
		return c, err
	}
	if c.ID == 0 {
		if c.ID, err = addChannel(ctx, tx, c, b.now()); err != nil {
			return c, err
		}
	}
	text, err := json.Marshal(secret)
	if err != nil {
		return c, err
	}
	sealed, err := b.config.Seal(c.owner(), text)
	if err != nil {
		return c, fmt.Errorf("seal secrets of channel: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE alert_channel SET name = ?, enabled = ?, per_hour = ?, config = ?, sealed = ?, next_at = 0, failures = 0, problem = '' WHERE id = ?`,
		c.Name, c.Enabled, c.PerHour, string(config), sealed, c.ID)
	if err != nil {
		return c, fmt.Errorf("write channel: %w", err)
	}
	if !c.Enabled {
		err = dropWaiting(ctx, tx, c.ID, "The channel was switched off.")
	}
	return c, err
}

func addChannel(ctx context.Context, tx *sql.Tx, c Channel, now time.Time) (id int64, err error) {
	list, err := readChannels(ctx, tx)
	if err != nil {
		return 0, err
	}
	if len(list) >= maxChannels {
		return 0, refuse("there are %d channels already; remove one first", maxChannels)
	}
	err = tx.QueryRowContext(ctx, `
		INSERT INTO alert_channel (kind, name, enabled, per_hour, config, sealed, created_at) VALUES (?, ?, ?, ?, '{}', x'', ?) RETURNING id`,
		c.Kind, c.Name, c.Enabled, c.PerHour, now.UnixMilli()).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("write channel: %w", err)
	}
	return id, nil
}

// knows tells whether a target may be given the token or password that another one has
// been given. A webhook never is: it gets a signature.
func (t Target) knows(other Target) bool {
	return t.Server == other.Server && t.Port == other.Port && t.Security == other.Security && t.User == other.User
}

// RemoveChannel removes a channel with its secrets; what was to be sent is dropped. It
// returns the channel as it was.
func (b *Bell) RemoveChannel(ctx context.Context, tx *sql.Tx, id int64) (Channel, error) {
	c, err := readChannel(ctx, tx, id)
	if err != nil {
		return c, err
	}
	if err := dropWaiting(ctx, tx, id, "The channel was removed."); err != nil {
		return c, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM alert_channel WHERE id = ?`, id); err != nil {
		return c, fmt.Errorf("remove channel: %w", err)
	}
	return c, nil
}

func dropWaiting(ctx context.Context, tx *sql.Tx, channel int64, why string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE alert_delivery SET state = 'dropped', problem = ? WHERE channel = ? AND state = 'waiting'`, why, channel)
	if err != nil {
		return fmt.Errorf("drop what waits for a channel: %w", err)
	}
	return nil
}

// check completes a channel that an operator has typed: what its kind does not have is
// left out.
func (c Channel) check(s Secret) (Channel, error) {
	t := c.Target
	for _, text := range []string{c.Name, t.Server, t.Topic, t.Chat, t.User, t.From, t.To, s.URL, s.Token} {
		if !oneLine(text, maxField) {
			return c, refuse("every field is one line of at most %d characters", maxField)
		}
	}
	c.Name = strings.TrimSpace(c.Name)
	var err error
	switch {
	case c.Name == "" || !oneLine(c.Name, maxName):
		err = refuse("a channel needs a name of at most %d characters", maxName)
	case c.PerHour < 1 || c.PerHour > maxPerHour:
		err = refuse("a channel has between 1 and %d messages an hour", maxPerHour)
	case c.Kind == Webhook:
		var u *url.URL
		if u, err = webURL(s.URL); err == nil {
			c.Target = Target{Server: u.Host}
		}
	case c.Kind == Ntfy:
		c.Target, err = t.checkNtfy()
	case c.Kind == Telegram:
		c.Target, err = t.checkTelegram(s.Token)
	case c.Kind == SMTP:
		c.Target, err = t.checkSMTP(s.Token)
	default:
		err = refuse("there is no kind of channels called %q", c.Kind)
	}
	return c, err
}

// webURL reads the address of a server. What it says of a wrong one does not repeat it.
func webURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, refuse("the URL begins with https:// or http:// and has no user name in it")
	}
	return u, nil
}

// letters tells whether text has only letters and digits of ASCII, and those of extra.
func letters(text, extra string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(extra, r)
	})
}

func (t Target) checkNtfy() (Target, error) {
	u, err := webURL(t.Server)
	if err != nil {
		return t, err
	}
	topic := strings.TrimSpace(t.Topic)
	if !letters(topic, "-_") || len(topic) > 64 || u.RawQuery != "" {
		return t, refuse("a topic has at most 64 letters, digits, - and _, and stands in a field of its own")
	}
	return Target{Server: strings.TrimSuffix(u.String(), "/"), Topic: topic}, nil
}

func (t Target) checkTelegram(token string) (Target, error) {
	chat := strings.TrimSpace(t.Chat)
	if !letters(token, "-_:") || !strings.Contains(token, ":") {
		return t, refuse("the token of a bot looks like 123456:ABC-DEF1234")
	}
	if !letters(chat, "-_@") {
		return t, refuse("the chat is a number, or @ and a name")
	}
	return Target{Chat: chat}, nil
}

func (t Target) checkSMTP(password string) (Target, error) {
	t = Target{
		Server: strings.TrimSpace(t.Server), Port: t.Port, Security: t.Security, User: strings.TrimSpace(t.User),
		From: strings.TrimSpace(t.From), To: strings.TrimSpace(t.To),
	}
	if !letters(t.Server, ".-:") {
		return t, refuse("the mail server is a name such as mail.example.org, or an IP address")
	}
	if t.Port < 1 || t.Port > 65535 {
		return t, refuse("the port of the mail server is between 1 and 65535, mostly 587 or 465")
	}
	if !slices.Contains([]string{SecurityStartTLS, SecurityTLS, SecurityNone}, t.Security) {
		return t, refuse("choose how the connection to the mail server is encrypted")
	}
	if t.User != "" && password == "" {
		return t, refuse("a user name at the mail server needs its password")
	}
	if _, err := mail.ParseAddress(t.From); err != nil {
		return t, refuse("the sender is one e-mail address")
	}
	list, err := mail.ParseAddressList(t.To)
	if err != nil || len(list) > 10 {
		return t, refuse("the receivers are up to ten e-mail addresses with commas between them")
	}
	return t, nil
}
