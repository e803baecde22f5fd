package support_test

import (
	"archive/zip"
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/logbook"
	"github.com/dmpool/dmpool/appliance/support"
)

const theWords = "legal winner thank year wave sausage worth useful legal winner thank yellow"

// secrets are one of each kind that a box has.
func secrets() map[string]string {
	return map[string]string{
		"password":      "Correct-Horse-9!",
		"passphrase":    "NUXKJ3LTQ2VH5WYA7RZ4BCDE6F",
		"words":         theWords,
		"xprv":          "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
		"WIF":           "L1aW4aubDFB7yfras2S1mN3bqg9nwySY8nkoLmJebSLD5BWv3ENZ",
		"descriptor":    "wpkh([0a1b2c3d/84h/0h/0h]xprvA1/0/*)#abcdefgh",
		"cookie":        "__cookie__:8d7f1c0a5be94e7d8a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081",
		"token":         "dmp_K7QWERTY2ASDFGH3ZXCVBN4MP",
		"JWT":           "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLWlzLWhlcmU",
		"claim code":    "KMNP-QRST",
		"recovery code": "7H2K-9QXZ-M4RT-B8WV",
		"TOTP secret":   "JBSWY3DPEHPK3PXP",
		"hash":          "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
		"URL":           "http://anna:geheim7@node.lan:8332/",
		"txid":          "f1e2d3c4b5a697887766554433221100ffeeddccbbaa99887766554433221100",
		"address":       "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
		"old address":   "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
		"IPv4":          "192.168.1.77",
		"IPv6":          "2001:db8::17",
		"host":          "pool.anna.example",
		"mail":          "anna@example.org",
	}
}

// A text keeps what helps, and of no kind of secret anything is left, wherever in a
// sentence it stands.
func TestTextHasNoSecrets(t *testing.T) {
	for kind, secret := range secrets() {
		for _, text := range []string{secret, "open " + secret + ": no such file", `dial "` + secret + `"`, "key=" + secret, "(" + secret + ")"} {
			got := support.NewScrubber(false).Text(text)
			for _, piece := range strings.FieldsFunc(secret, func(r rune) bool { return r == ' ' }) {
				if len(piece) > 8 && strings.Contains(got, piece) {
					t.Errorf("%s is left in %q", kind, got)
				}
			}
			if strings.Contains(got, secret) {
				t.Errorf("%s is left in %q", kind, got)
			}
		}
	}
	if got := support.NewScrubber(true).Text("the wallet says " + theWords + " to everybody"); got != "the wallet says "+logbook.LeftOut+" to everybody" {
		t.Errorf("the words: %q", got)
	}
}

func TestTextKeepsWhatHelps(t *testing.T) {
	for _, text := range []string{
		"The node is at block 925001.",
		"copy wallet: no space left on device",
		"context deadline exceeded after 5.002s",
		"2026-11-23T05:30:42Z: RPC error -28",
		"shares.db has 18 migrations, 640 MB",
		"job wallet-backup at 99.3%",
		"bitcoind v29.5 /Satoshi:29.0.0/Knots:20251110/",
		"00000000000000000000000000000000000000000000007be1c04d52aa9913f0",
		"listen 127.0.0.1:8080: address already in use",
	} {
		if got := support.NewScrubber(false).Text(text); !strings.HasSuffix(text, "f0") && got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	s := support.NewScrubber(false)
	if got := s.Text("from 192.168.1.77:4028 and 192.168.1.78, again 192.168.1.77"); got != "from ip-1:4028 and ip-2, again ip-1" {
		t.Error(got)
	}
	if got := support.NewScrubber(true).Text("192.168.1.77:4028 bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"); got != "192.168.1.77:4028 bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq" {
		t.Error("what was asked for is gone: " + got)
	}
}

// Log lines, sentences and names of people and miners pass the same sieve, in the
// file that is sent as in what is shown before.
func TestBundle(t *testing.T) {
	book := logbook.New(100)
	log := slog.New(book.Handler(slog.DiscardHandler))
	told := map[string]any{"reason": "All is well.", "height": 925001}
	for kind, secret := range secrets() {
		log.Warn("Something failed", "err", "it says "+secret, "peer", secret, "worker", secret)
		told[strings.ReplaceAll(kind, " ", "_")] = []string{secret}
	}
	log.Info("Miner connected", "worker", "attic", "peer", "192.168.1.77:1234")
	b := support.New(false)
	if err := b.Told("health.json", told); err != nil {
		t.Fatal(err)
	}
	if err := b.Log("log.txt", book.Read(logbook.Filter{}, 100)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.Write(&out, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	files, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var all string
	for i, f := range files.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || string(text) != b.Files[i].Text {
			t.Errorf("%s: %v, or not what is shown", f.Name, err)
		}
		all += string(text)
	}
	for kind, secret := range secrets() {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in the bundle", kind)
		}
	}
	for _, want := range []string{`"reason": "All is well."`, `"height": 925001`, `msg="Something failed"`, "worker=worker-", "peer=ip-"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in %s", want, all)
		}
	}
	if strings.Contains(all, "attic") {
		t.Error("the name of a miner is in the bundle")
	}
}
