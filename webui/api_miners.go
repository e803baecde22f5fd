package webui

import (
	"net/http"
	"slices"
	"time"
)

// banJSON is a ban in force.
type banJSON struct {
	Address *string   `json:"address"`
	Worker  *string   `json:"worker"` // null: all of the address
	Network *string   `json:"network"`
	Reason  string    `json:"reason"`
	Actor   string    `json:"by"`
	At      time.Time `json:"at"`
}

func banOf(b banLine) banJSON {
	return banJSON{
		Address: orNull(b.Address), Worker: orNull(b.Worker), Network: orNull(b.Network),
		Reason: b.Reason, Actor: b.Actor, At: b.At.UTC(),
	}
}

func (s *site) apiBans(r *http.Request) (any, error) {
	bans, err := s.box.Bans(r.Context())
	if err != nil {
		return nil, err
	}
	return paged(r, bans, banOf)
}

// bannedJSON is the answer to a ban and to its end.
type bannedJSON struct {
	Address string `json:"address"`
	Banned  bool   `json:"banned"`
}

// doBan keeps an address from mining. What it has earned stays its own.
func (s *site) doBan(r *http.Request, who caller, c command) (int, any, error) {
	in := struct {
		Reason string `json:"reason"`
	}{Reason: "No reason was given."}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	address, err := s.addressOf(r)
	if err != nil {
		return 0, nil, err
	}
	order := banOrder{banned: banned{Address: address}, Reason: in.Reason, Operator: who.Operator, IP: who.IP.String()}
	if err := s.box.Ban(r.Context(), order); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, bannedJSON{address, true}, nil
}

func (s *site) doUnban(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	address, err := s.addressOf(r)
	if err != nil {
		return 0, nil, err
	}
	if err := s.box.LiftBan(r.Context(), banned{Address: address}, who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, bannedJSON{address, false}, nil
}

// taggedJSON is the answer to a tag and to its end.
type taggedJSON struct {
	Address string   `json:"address"`
	Tag     string   `json:"tag"`
	Tags    []string `json:"tags"`
}

func (s *site) doTag(r *http.Request, who caller, c command) (int, any, error) {
	var in struct {
		Tag string `json:"tag"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	return s.retag(r, who, in.Tag, func(tags []string) []string {
		return append(slices.DeleteFunc(tags, func(t string) bool { return t == in.Tag }), in.Tag)
	})
}

func (s *site) doUntag(r *http.Request, who caller, c command) (int, any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return 0, nil, err
	}
	tag := r.PathValue("tag")
	return s.retag(r, who, tag, func(tags []string) []string {
		return slices.DeleteFunc(tags, func(t string) bool { return t == tag })
	})
}

// retag changes the tags of an address, as they are stored then.
func (s *site) retag(r *http.Request, who caller, tag string, change func([]string) []string) (int, any, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return 0, nil, err
	}
	if tag == "" {
		return 0, nil, invalid("Name the tag.")
	}
	m, err := s.markOf(r, address)
	if err != nil {
		return 0, nil, err
	}
	m.Tags = change(slices.Clone(m.Tags))
	if err := s.box.SetMark(r.Context(), m, who.Operator, who.IP.String()); err != nil {
		return 0, nil, err
	}
	if m, err = s.markOf(r, address); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, taggedJSON{address, tag, append([]string{}, m.Tags...)}, nil
}

// markOf is what was said about an address itself, and not about its workers.
func (s *site) markOf(r *http.Request, address string) (mark, error) {
	marks, err := s.box.Marks(r.Context(), address)
	for _, m := range marks {
		if m.Worker == "" {
			return m, err
		}
	}
	return mark{Address: address}, err
}
