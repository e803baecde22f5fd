package webui

import "net/http"

// cookieName is a cookie's name. It is distinctive, because cookies do not know
// ports and another app on this machine receives ours. Over TLS the prefix makes
// browsers refuse one that was not set by this very host over TLS; and as the names
// differ, what was set over TLS is not in the way of the same page over plain http.
func cookieName(r *http.Request, name string) string {
	if r.TLS != nil {
		return "__Host-" + name
	}
	return name
}

// newCookie is a cookie that lasts as long as the browser is open. It is Lax: with
// Strict a link in a message would lead to the login form.
func newCookie(r *http.Request, name, value string) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r, name), Value: value, Path: "/",
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	}
}

// dropCookie takes a cookie back.
func dropCookie(w http.ResponseWriter, r *http.Request, name string) {
	c := newCookie(r, name, "")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// cookieOf is the value of a cookie, false when there is none.
func cookieOf(r *http.Request, name string) (string, bool) {
	c, err := r.Cookie(cookieName(r, name))
	if err != nil {
		return "", false
	}
	return c.Value, true
}
