package webui

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
)

// tokenHeader carries the form token of a session: to the client with each
// answer to a signed-in GET, and back with each command. Another site can neither
// read it nor send it.
const tokenHeader = "Dmpool-Token"

// deskJSON turns a function into a handler of the operator's API.
func (s *site) deskJSON(gather func(r *http.Request) (any, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		v, err := gather(r)
		if err != nil {
			return err
		}
		w.Header().Set(tokenHeader, who.Token)
		return writeJSON(w, r, http.StatusOK, v)
	}
}

// command is the body of a POST to the API, taken apart.
type command struct {
	key      string // of idempotency
	password string // or a code of the second factor
	rest     []byte // what is particular to the command, as JSON
	digest   []byte // of the path and the rest, so that no password is kept
}

// secured says whether a command needs the operator's password, or a code.
type secured bool

const (
	withPassword    secured = true
	withoutPassword secured = false
)

// command turns a function into a handler of the operator's API that changes
// something. The body is one JSON object. Each command has an idempotency key, in
// the header Idempotency-Key or in the body; see replays for what it gives.
func (s *site) command(needs secured, act func(r *http.Request, who caller, c command) (status int, answer any, err error)) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		c, err := readCommand(r)
		if err != nil {
			return err
		}
		if needs {
			right, err := isRight(s.box.Reauthenticate(r.Context(), who.Operator, c.password, who.IP.String()))
			if err != nil {
				return err
			}
			if !right {
				return &problem{Status: http.StatusForbidden, Code: codeWrongPassword, Detail: "The password, or the code, is wrong or missing. Nothing was done."}
			}
		}
		got, err := s.replays.once(r.Context(), replayKey{who.Operator.ID, c.key}, c.digest, func() (int, any, error) {
			return act(r, who, c)
		})
		if err != nil {
			return err
		}
		return writeJSON(w, r, got.status, got.body)
	}
}

// readCommand takes the body apart.
func readCommand(r *http.Request) (command, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return command{}, &problem{Status: http.StatusUnsupportedMediaType, Code: "invalid", Detail: "Send a JSON object as application/json."}
	}
	body, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return command{}, &problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid", Detail: "The command is too long."}
	}
	if err != nil {
		return command{}, err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return command{}, invalid("The body is no JSON object.")
	}
	c := command{key: r.Header.Get("Idempotency-Key")}
	for name, to := range map[string]*string{"idempotency_key": &c.key, "password": &c.password, "code": &c.password} {
		value, ok := fields[name]
		if ok && json.Unmarshal(value, to) != nil {
			return command{}, invalid("The field " + name + " is a text.")
		}
		delete(fields, name)
	}
	if c.key == "" || len(c.key) > 128 {
		return command{}, invalid("Send an idempotency key of 1 to 128 letters with each command, in the header Idempotency-Key or in the field idempotency_key.")
	}
	if c.rest, err = json.Marshal(fields); err != nil {
		return command{}, err
	}
	sum := sha256.Sum256(append([]byte(r.URL.Path+"\n"), c.rest...))
	c.digest = sum[:]
	return c, nil
}

// decode reads what is particular to the command. A field that is not known is
// an error, so that a misspelt one is not silently left out.
func (c command) decode(into any) error {
	dec := json.NewDecoder(bytes.NewReader(c.rest))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return invalid("The command was not understood: " + err.Error() + ".")
	}
	return nil
}
