package release

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

var signedAt = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// signer is a builder of a test's own.
type signer struct {
	t      *testing.T
	entity *openpgp.Entity
}

// newSigner makes a key that is good for so long; 0 is for ever.
func newSigner(t *testing.T, name string, life time.Duration) signer {
	t.Helper()
	entity, err := openpgp.NewEntity(name, "", name+"@builders.example", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA512, KeyLifetimeSecs: uint32(life.Seconds()),
		Time: func() time.Time { return signedAt.Add(-time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, entity}
}

func (s signer) key() []byte { return armored(s.t, s) }

func armored(t *testing.T, signers ...signer) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range signers {
		if err := s.entity.Serialize(w); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (s signer) sign(text []byte) []byte {
	s.t.Helper()
	var out bytes.Buffer
	config := &packet.Config{Time: func() time.Time { return signedAt }}
	if err := openpgp.ArmoredDetachSign(&out, s.entity, bytes.NewReader(text), config); err != nil {
		s.t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

func (s signer) builder(name string) builder { return builder{name, fingerprint(s.entity)} }

func TestVouch(t *testing.T) {
	v := Version{32, 0}
	sums := []byte(strings.Join([]string{
		strings.Repeat("11", 32) + "  bitcoin-32.0-aarch64-linux-gnu.tar.gz",
		strings.Repeat("22", 32) + "  bitcoin-32.0-x86_64-linux-gnu.tar.gz",
		strings.Repeat("33", 32) + "  bitcoin-32.0-x86_64-linux-gnu-debug.tar.gz",
		strings.Repeat("44", 32) + "  bitcoin-32.0.tar.gz", "",
	}, "\n"))
	ann, bob, cleo, dora := newSigner(t, "ann", 0), newSigner(t, "bob", 0), newSigner(t, "cleo", 0), newSigner(t, "dora", 0)
	old, gone, stranger := newSigner(t, "old", 24*time.Hour), newSigner(t, "gone", 0), newSigner(t, "stranger", 0)
	goneSigned := gone.sign(sums)
	if err := gone.entity.RevokeKey(packet.KeyCompromised, "stolen", &packet.Config{Time: func() time.Time { return signedAt }}); err != nil {
		t.Fatal(err)
	}
	known := []builder{ann.builder("ann"), bob.builder("bob"), cleo.builder("cleo"), dora.builder("dora"), old.builder("old"), gone.builder("gone")}
	var keys [][]byte
	for _, s := range []signer{ann, bob, cleo, dora, old, gone} {
		keys = append(keys, s.key())
	}
	ring, err := newKeyring(keys, known, 3)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(signers ...signer) (all []byte) {
		for _, s := range signers {
			all = append(all, s.sign(sums)...)
		}
		return all
	}
	later := signedAt.Add(30 * 24 * time.Hour)
	tests := []struct {
		name       string
		sums       []byte
		signatures []byte
		now        time.Time
		want       []string // signers
		good       bool
	}{
		{"three of six", sums, sign(ann, bob, cleo), signedAt, []string{"ann", "bob", "cleo"}, true},
		{"four", sums, sign(dora, ann, bob, cleo), signedAt, []string{"ann", "bob", "cleo", "dora"}, true},
		{"two", sums, sign(ann, bob), signedAt, []string{"ann", "bob"}, false},
		{"nobody", sums, nil, signedAt, nil, false},
		{"one, three times", sums, sign(ann, ann, ann), signedAt, []string{"ann"}, false},
		{"strangers do not count", sums, sign(ann, bob, stranger), signedAt, []string{"ann", "bob"}, false},
		{"strangers do not harm", sums, sign(stranger, ann, bob, stranger, cleo), signedAt, []string{"ann", "bob", "cleo"}, true},
		{"a key that is still good", sums, sign(ann, bob, old), signedAt, []string{"ann", "bob", "old"}, true},
		{"an expired key", sums, sign(ann, bob, old), later, []string{"ann", "bob"}, false},
		{"a revoked key", sums, slices.Concat(sign(ann, bob), goneSigned), signedAt, []string{"ann", "bob"}, false},
		{"signed before the key was made", sums, sign(ann, bob, cleo), signedAt.Add(-2 * time.Hour), nil, false},
		{"another text", slices.Concat(sums, []byte(strings.Repeat("55", 32)+"  more\n")), sign(ann, bob, cleo), signedAt, nil, false},
		{"one hash changed", bytes.Replace(sums, []byte("22"), []byte("23"), 1), sign(ann, bob, cleo), signedAt, nil, false},
		{"noise in between", sums, slices.Concat(sign(ann), []byte("\x00\xffnoise\n"), sign(bob), []byte("-----BEGIN PGP SIGNATURE-----\n\nAAAA\n=AAAA\n-----END PGP SIGNATURE-----\n"), sign(cleo)), signedAt, []string{"ann", "bob", "cleo"}, true},
		{"a key is no signature", sums, slices.Concat(sign(ann, bob), cleo.key()), signedAt, []string{"ann", "bob"}, false},
		{"cut off", sums, sign(ann, bob, cleo)[:len(sign(ann, bob))+60], signedAt, []string{"ann", "bob"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			releases, signers, err := ring.Vouch(v, tt.sums, tt.signatures, tt.now)
			if !slices.Equal(signers, tt.want) {
				t.Errorf("signers = %v, want %v", signers, tt.want)
			}
			if tt.good != (err == nil) || err != nil && !errors.Is(err, ErrUnvouched) {
				t.Errorf("Vouch: %v, want good: %v", err, tt.good)
			}
			if tt.good && (len(releases) != 2 || releases[0].SHA256.String() != strings.Repeat("22", 32) || releases[1].SHA256.String() != strings.Repeat("11", 32)) {
				t.Errorf("Vouch = %v", releases)
			}
		})
	}
	if _, _, err := ring.Vouch(Version{32, 1}, sums, sign(ann, bob, cleo), signedAt); !errors.Is(err, ErrUnvouched) {
		t.Errorf("Vouch with the signed list of another version: %v, want %v", err, ErrUnvouched)
	}
}

func TestListed(t *testing.T) {
	good := strings.Repeat("ab", 32) + "  file\n"
	for text, want := range map[string]bool{
		good: true, good + strings.Repeat("cd", 32) + "  other\n": true,
		"": false, good + good: false, "abcd  file\n": false, strings.Repeat("ab", 33) + "  file\n": false, strings.Repeat("zz", 32) + "  file\n": false,
		strings.Repeat("ab", 32) + "  file.asc\n": false, strings.Repeat("ab", 32) + " *file\n": false,
	} {
		if _, ok := listed([]byte(text), "file"); ok != want {
			t.Errorf("listed(%q) = %v, want %v", text, ok, want)
		}
	}
}

func TestNewKeyring(t *testing.T) {
	ann, bob := newSigner(t, "ann", 0), newSigner(t, "bob", 0)
	known := []builder{ann.builder("ann"), bob.builder("bob")}
	for name, keys := range map[string][][]byte{
		"a stranger":    {ann.key(), newSigner(t, "stranger", 0).key()},
		"one twice":     {ann.key(), bob.key(), ann.key()},
		"two in a file": {armored(t, ann, bob), bob.key()},
		"too few":       {ann.key()},
		"no key at all": {ann.key(), []byte("hello")},
		"half of a key": {ann.key(), bob.key()[:200]},
		"a signature":   {ann.key(), bob.sign(nil)},
		"an empty file": {ann.key(), bob.key(), nil},
	} {
		if _, err := newKeyring(keys, known, 2); err == nil {
			t.Errorf("newKeyring takes %s", name)
		}
	}
	if _, err := newKeyring([][]byte{ann.key(), bob.key()}, known, 2); err != nil {
		t.Errorf("newKeyring: %v", err)
	}
}

// TestShippedKeys holds the keys that come with the program against the
// fingerprints, and against what a signature is good for.
func TestShippedKeys(t *testing.T) {
	ring, err := ShippedKeys()
	if err != nil {
		t.Fatal(err)
	}
	if ring.need < 3 || ring.need > len(ring.keys) {
		t.Errorf("%d of %d signatures are asked for", ring.need, len(ring.keys))
	}
	for _, key := range ring.keys {
		if _, ok := key.SigningKey(signedAt); !ok {
			t.Errorf("nothing can be signed with the key of %s", ring.names[fingerprint(key)])
		}
	}
}

func TestVouched(t *testing.T) {
	v := Version{32, 0}
	sums := []byte(strings.Repeat("11", 32) + "  bitcoin-32.0-aarch64-linux-gnu.tar.gz\n" + strings.Repeat("22", 32) + "  bitcoin-32.0-x86_64-linux-gnu.tar.gz\n")
	ann := newSigner(t, "ann", 0)
	ring, err := newKeyring([][]byte{ann.key()}, []builder{ann.builder("ann")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"SHA256SUMS": sums, "SHA256SUMS.asc": ann.sign(sums)}
	source := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if text, ok := files[path.Base(r.URL.Path)]; ok && path.Dir(r.URL.Path) == "/bitcoin-core-32.0" {
			_, _ = w.Write(text)
			return
		}
		http.NotFound(w, r)
	})
	releases, signers, err := source.Vouched(t.Context(), v, ring, signedAt)
	if err != nil || len(releases) != 2 || fmt.Sprint(signers) != "[ann]" {
		t.Errorf("Vouched = %v, %v, %v", releases, signers, err)
	}
	files["SHA256SUMS.asc"] = bytes.Repeat([]byte("-"), 1<<20+1)
	if _, _, err := source.Vouched(t.Context(), v, ring, signedAt); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Vouched with endless signatures: %v, want %v", err, ErrTooLarge)
	}
	delete(files, "SHA256SUMS.asc")
	if _, _, err := source.Vouched(t.Context(), v, ring, signedAt); !errors.Is(err, ErrMissing) {
		t.Errorf("Vouched without signatures: %v, want %v", err, ErrMissing)
	}
}
