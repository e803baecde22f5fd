package appliance

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Codes are those of RFC 6238 with what every authenticator app takes for
// granted: SHA-1 (which is sound inside an HMAC), six digits, steps of 30 seconds.
const (
	totpStep   = 30 // seconds
	totpDigits = 6
	totpSkew   = 1  // steps that a clock may be wrong by
	totpSecret = 20 // bytes, as long as the hash
)

// totpCode returns the code of a time step (RFC 4226, 5.3).
func totpCode(secret []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, number%1_000_000)
}

// totpMatch returns the step around now that a code belongs to, if there is one
// after last. It takes as long whichever step it is.
func totpMatch(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	middle := now.Unix() / totpStep
	for s := middle - totpSkew; s <= middle+totpSkew; s++ {
		same := subtle.ConstantTimeCompare([]byte(totpCode(secret, s)), []byte(code)) == 1
		if same && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// IsCode reports whether a text looks like a code of an authenticator app. No
// password does: they have more characters.
func IsCode(text string) bool {
	text = withoutBlanks(text)
	return len(text) == totpDigits && strings.Trim(text, "0123456789") == ""
}

// withoutBlanks takes out what people and apps put between groups.
func withoutBlanks(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '-' || r == '\u00a0' || r == '\u202f' {
			return -1
		}
		return r
	}, text)
}

// FactorURI is what the QR code of a second factor says to an app: the format of
// key URIs that all of them read. The issuer keeps the entries of several boxes
// apart.
func FactorURI(secret, issuer, name string) string {
	label := url.PathEscape(issuer) + ":" + url.PathEscape(name)
	values := fmt.Sprintf("secret=%s&issuer=%s&algorithm=SHA1&digits=%d&period=%d", secret, strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20"), totpDigits, totpStep)
	return "otpauth://totp/" + label + "?" + values
}

func base32Text(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}
