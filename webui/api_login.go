package webui

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
)

// loginJSON is the answer of /api/auth/login.
type loginJSON struct {
	Token     string `json:"token"`
	TokenType string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"` // seconds
}

// apiLogin gives a script a token for an hour. Name, password and code are those of
// the login form, and so is what slows down guessing.
func (s *site) apiLogin(w http.ResponseWriter, r *http.Request, who caller) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &problem{Status: http.StatusUnsupportedMediaType, Code: "invalid", Detail: "Send a JSON object as application/json."}
	}
	var sent struct{ Username, Password, Code string }
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&sent); err != nil {
		return invalid("The body is a JSON object with username, password and, with a second factor, code.")
	}
	ctx, ip := r.Context(), who.IP.String()
	op, since, err := s.box.Login(ctx, cut(sent.Username, 64), sent.Password, ip)
	if p, ok := errors.AsType[*problem](err); ok && p.Code == codeSecondStep && sent.Code != "" {
		err = s.box.LoginCode(ctx, op, cut(sent.Code, 64), ip)
	}
	if p, ok := errors.AsType[*problem](err); ok && p.Code == codeWrongPassword {
		return &problem{Status: http.StatusUnauthorized, Code: codeWrongPassword, Detail: "The name, the password or the code is wrong."}
	}
	if err != nil {
		return err
	}
	token, err := s.tokens.logIn(ctx, op, since, ip)
	if errors.Is(err, errSuperseded) {
		return &problem{Status: http.StatusUnauthorized, Code: codeWrongPassword, Detail: "The name, the password or the code is wrong."}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, r, http.StatusOK, loginJSON{token, "Bearer", int(loginTokenLife.Seconds())})
}
