package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// reply is an answer of a cgminer. Its sections are lists of objects, and one writes
// the names of fields in capitals that another does not, so all names are in lower case.
type reply struct {
	status   status
	sections map[string][]fields
}

// status is the verdict of an answer.
type status struct {
	kind string // S success, I information, W warning, E error, F fatal
	code int
	text string // cleaned
	by   string // the program that answers, cleaned
}

// ok reports whether the command was done.
func (s status) ok() bool { return s.kind == "S" || s.kind == "I" }

// fields are the values of an object by their names.
type fields map[string]json.RawMessage

var errNoReply = errors.New("answer is not a cgminer's")

// parseReply reads an answer, broken or not.
func parseReply(raw []byte) (reply, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(mend(raw), &top); err != nil {
		return reply{}, fmt.Errorf("%w: %w", errNoReply, err)
	}
	r := reply{sections: map[string][]fields{}}
	for name, value := range top {
		if list := objects(value); len(list) > 0 {
			r.sections[strings.ToLower(name)] = list
		}
	}
	head := r.first("status")
	if head == nil { // WhatsMiner's verdict stands at the top
		head = lower(top)
	}
	r.status = status{kind: head.text("status"), text: head.text("msg"), by: head.text("description")}
	if code := head.number("code"); code != nil {
		r.status.code = int(*code)
	}
	if r.status.kind == "" {
		return reply{}, errNoReply
	}
	return r, nil
}

// objects are the objects of a list, or the one that there is.
func objects(raw json.RawMessage) []fields {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var found []fields
	for _, one := range list {
		var object map[string]json.RawMessage
		if json.Unmarshal(one, &object) == nil && object != nil {
			found = append(found, lower(object))
		}
	}
	return found
}

func lower(object map[string]json.RawMessage) fields {
	f := make(fields, len(object))
	for name, value := range object {
		f[strings.ToLower(name)] = value
	}
	return f
}

// first is the first object of a section; nil when there is none.
func (r reply) first(section string) fields {
	if list := r.sections[section]; len(list) > 0 {
		return list[0]
	}
	return nil
}

// exact is a text as it came, empty when there is none.
func (f fields) exact(name string) (text string) {
	if json.Unmarshal(f[name], &text) != nil {
		return ""
	}
	return text
}

// text is a text that may be shown.
func (f fields) text(name string) string { return clean(f.exact(name)) }

// number is a number, which some write as a text.
func (f fields) number(name string) *float64 {
	var v float64
	if json.Unmarshal(f[name], &v) == nil && f[name] != nil && string(f[name]) != "null" {
		return &v
	}
	if v, err := strconv.ParseFloat(strings.TrimSpace(f.exact(name)), 64); err == nil {
		return &v
	}
	return nil
}

// command asks a cgminer one thing, over a connection of its own.
func (l *LAN) command(ctx context.Context, ip netip.Addr, name, parameter string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, replyWait)
	defer cancel()
	raw, err := l.exchange(ctx, ip, name, parameter)
	if err != nil {
		return reply{}, fmt.Errorf("ask %s for %s: %w", ip, name, err)
	}
	r, err := parseReply(raw)
	if err != nil {
		return reply{}, fmt.Errorf("ask %s for %s: %w", ip, name, err)
	}
	return r, nil
}

// exchange sends a command and reads until the NUL that ends an answer, or the end of
// the connection. Whoever keeps it open without a NUL is read to the end of the time.
func (l *LAN) exchange(ctx context.Context, ip netip.Addr, name, parameter string) ([]byte, error) {
	request, err := json.Marshal(struct {
		Command   string `json:"command"`
		Parameter string `json:"parameter,omitempty"`
	}{name, parameter})
	if err != nil {
		return nil, err
	}
	conn, err := l.dialer.DialContext(ctx, "tcp4", at(ip, l.config.APIPort))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var got []byte
	part := make([]byte, 4<<10)
	for {
		n, err := conn.Read(part)
		got = append(got, part[:n]...)
		switch end := bytes.IndexByte(part[:n], 0); {
		case len(got) > maxReply:
			return nil, errTooLong
		case end >= 0 || err != nil && len(got) > 0:
			return got, nil
		case err != nil:
			return nil, err
		}
	}
}
