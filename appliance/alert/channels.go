package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Hook is the body of a webhook.
type Hook struct {
	Box    string      `json:"box"` // as its pages call it
	At     time.Time   `json:"at"`
	Test   bool        `json:"test"` // somebody has pressed the button
	Title  string      `json:"title"`
	Text   string      `json:"text"`
	Level  Level       `json:"level"` // of the worst
	Alerts []HookAlert `json:"alerts"`
}

// HookAlert is news of one alert in a webhook. An alert may come more than once with
// the same news.
type HookAlert struct {
	ID       int64               `json:"id"`
	Rule     string              `json:"rule"` // key
	Type     string              `json:"type"`
	Level    Level               `json:"level"`
	News     string              `json:"news"` // raised or over
	Title    string              `json:"title"`
	Lines    []string            `json:"lines"`
	NextStep string              `json:"next_step"`
	RaisedAt time.Time           `json:"raised_at"`
	OverAt   *time.Time          `json:"over_at"` // null: it is still so
	Count    int                 `json:"count"`   // of what it is about
	About    []map[string]string `json:"about"`   // the first of them
}

func (b *Bell) sendWebhook(ctx context.Context, s Secret, m Message) error {
	policy, err := b.Policy(ctx)
	if err != nil {
		return err
	}
	hook := Hook{Box: m.Box, At: m.At.UTC(), Test: m.Test, Title: m.Title, Text: m.Text, Level: m.Level, Alerts: []HookAlert{}}
	for _, i := range m.Items {
		hook.Alerts = append(hook.Alerts, b.hookAlert(i, policy.FullAddresses))
	}
	return b.post(ctx, s.URL, hook, func(body []byte, h http.Header) {
		if s.Token == "" {
			return
		}
		at := strconv.FormatInt(b.now().Unix(), 10)
		h.Set("Dmpool-Timestamp", at)
		h.Set("Dmpool-Signature", "sha256="+Signature(s.Token, at, body))
	})
}

func (b *Bell) hookAlert(i Item, full bool) HookAlert {
	a := i.Alert
	h := HookAlert{
		ID: a.ID, Rule: a.Rule, Type: a.Type, Level: a.Level, News: i.News, Title: i.Title, Lines: i.Lines, NextStep: i.Next,
		RaisedAt: a.RaisedAt.UTC(), Count: a.Count,
	}
	if h.Lines == nil {
		h.Lines = []string{}
	}
	if a.Over() {
		over := a.OverAt.UTC()
		h.OverAt = &over
	}
	for _, about := range a.About {
		d := b.words[english].detail(about.Detail, full, func(s string) string { return s })
		delete(d, "who")
		h.About = append(h.About, d)
	}
	return h
}

// Signature is what a webhook is signed with, in hex: HMAC-SHA-256 over timestamp, a
// full stop and the body.
func Signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// titleOf has the name of the box before what happened, for who has more than one.
func titleOf(m Message) string { return "[" + plain(m.Box, 40) + "] " + m.Title }

// ntfyLimit is what a message of ntfy holds, in bytes.
const ntfyLimit = 3900

// sendNtfy publishes as JSON, in which every title is possible (docs.ntfy.sh/publish).
func (b *Bell) sendNtfy(ctx context.Context, t Target, s Secret, m Message) error {
	priority, tag := 3, "information_source"
	switch m.Level {
	case Critical:
		priority, tag = 5, "rotating_light"
	case Warning:
		priority, tag = 4, "warning"
	}
	body := struct {
		Topic    string   `json:"topic"`
		Title    string   `json:"title"`
		Message  string   `json:"message"`
		Priority int      `json:"priority"`
		Tags     []string `json:"tags"`
	}{t.Topic, titleOf(m), cut(m.Text, ntfyLimit), priority, []string{tag}}
	return b.post(ctx, t.Server, body, func(_ []byte, h http.Header) {
		if s.Token != "" {
			h.Set("Authorization", "Bearer "+s.Token)
		}
	})
}

// telegramLimit is less than the 4096 characters that a message of Telegram holds.
const telegramLimit = 3900

// sendTelegram sends plain text: without a parse mode no character in it means anything
// (core.telegram.org/bots/api#sendmessage).
func (b *Bell) sendTelegram(ctx context.Context, t Target, s Secret, m Message) error {
	body := struct {
		Chat    string `json:"chat_id"`
		Text    string `json:"text"`
		Preview struct {
			Disabled bool `json:"is_disabled"`
		} `json:"link_preview_options"`
	}{Chat: t.Chat, Text: cut(titleOf(m)+"\n\n"+m.Text, telegramLimit)}
	body.Preview.Disabled = true
	err := b.post(ctx, b.config.Telegram+"/bot"+s.Token+"/sendMessage", body, nil)
	if answer, ok := errors.AsType[*answerError](err); ok {
		answer.open = true // 400 is a chat that there is not, too
	}
	return err
}
