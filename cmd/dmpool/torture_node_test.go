//go:build torture

package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// testnetLike stands between the pool and the node and makes the blocks of odd
// heights hard.
func testnetLike(t *testing.T, n *nodetest.Node) string {
	t.Helper()
	upstream, err := url.Parse(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // the pool was killed
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.ModifyResponse = harden
	server := httptest.NewServer(proxy)
	server.Config.ErrorLog = proxy.ErrorLog
	t.Cleanup(func() { n.Stop(); server.Close() })
	return server.URL
}

// harden rewrites answers of getblocktemplate: blocks of odd heights are hard.
func harden(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if bytes.Contains(body, []byte(`"bits":"207fffff"`)) && oddHeight(body) {
		for from, to := range map[string]string{
			`"bits":"207fffff"`: fmt.Sprintf(`"bits":"%08x"`, hardBits),
			`"target":"7fffff` + strings.Repeat("0", 58) + `"`: `"target":"00000000ffff` + strings.Repeat("0", 52) + `"`,
		} {
			body = bytes.Replace(body, []byte(from), []byte(to), 1)
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// oddHeight reports whether the template is for a block of odd height.
func oddHeight(template []byte) bool {
	_, rest, _ := bytes.Cut(template, []byte(`"height":`))
	digits, _, _ := bytes.Cut(rest, []byte(`,`))
	return len(digits) > 0 && digits[len(digits)-1]%2 == 1
}
