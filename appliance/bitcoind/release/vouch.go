package release

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrUnvouched is the error of a version for which too few of the builders have
// signed.
var ErrUnvouched = errors.New("not enough of the people who build Bitcoin Core have signed for this version")

//go:embed keys/*.asc
var shipped embed.FS

// builder is somebody who builds Bitcoin Core from its source and signs for what
// came out, by the fingerprint of the main key.
type builder struct{ name, fingerprint string }

// builders are those whom this program believes. Whose key is not in the folder
// keys does not count until it is; see the README there.
func builders() []builder {
	return []builder{
		{"achow101", "152812300785C96444D3334D17565732E08E5E41"},
		{"fanquake", "E777299FC265DD04793070EB944D35F9AC3DB76A"},
		{"guggero", "F4FC70F07310028424EFC20A8E4256593F177720"},
		{"hebasto", "D1DBF2C4B96F2DEBF4C16654410108112E7EA81F"},
		{"Sjors", "ED9BDF7AD6A55E232E84524257FF9BDBCC301009"},
		{"theStack", "6A8F9C266528E25AEB1D7731C2371D91CB716EA7"},
	}
}

// enoughBuilders is how many of them have to agree: Bitcoin Core's own script
// asks for three.
const enoughBuilders = 3

// Keyring is the keys of the builders and how many of them have to sign.
type Keyring struct {
	keys  openpgp.EntityList
	names map[string]string // by fingerprint
	need  int
}

// ShippedKeys returns the keys that came with this program.
func ShippedKeys() (Keyring, error) {
	entries, err := shipped.ReadDir("keys")
	if err != nil {
		return Keyring{}, fmt.Errorf("read the builders' keys: %w", err)
	}
	var keys [][]byte
	for _, e := range entries {
		key, err := shipped.ReadFile("keys/" + e.Name())
		if err != nil {
			return Keyring{}, fmt.Errorf("read the builders' keys: %w", err)
		}
		keys = append(keys, key)
	}
	return newKeyring(keys, builders(), enoughBuilders)
}

// newKeyring reads armored keys, one each, of which every one has to belong to
// a builder.
func newKeyring(keys [][]byte, known []builder, need int) (Keyring, error) {
	k := Keyring{names: map[string]string{}, need: need}
	for _, key := range keys {
		read, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(key))
		if err != nil {
			return k, fmt.Errorf("read a builder's key: %w", err)
		}
		if len(read) != 1 {
			return k, fmt.Errorf("read a builder's key: the file has %d of them", len(read))
		}
		mark := fingerprint(read[0])
		i := slices.IndexFunc(known, func(b builder) bool { return b.fingerprint == mark })
		if i < 0 {
			return k, fmt.Errorf("the key %s belongs to no builder of ours", mark)
		}
		if k.names[mark] != "" {
			return k, fmt.Errorf("the key of %s is there twice", known[i].name)
		}
		k.names[mark] = known[i].name
		k.keys = append(k.keys, read[0])
	}
	if len(k.keys) < need {
		return k, fmt.Errorf("%d signatures are to be asked for, but there are %d keys", need, len(k.keys))
	}
	return k, nil
}

func fingerprint(e *openpgp.Entity) string {
	return strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint))
}

// Vouch returns the releases of a version out of its list of hashes, if enough
// builders have signed that list with keys that are good at the time now, and
// the names of those who did. Signatures of others, or bad ones, do not matter.
func (k Keyring) Vouch(v Version, sums, signatures []byte, now time.Time) ([]Release, []string, error) {
	signers := k.signers(sums, signatures, now)
	if len(signers) < k.need {
		return nil, signers, fmt.Errorf("%w: %d are needed of the %d whom this version of DMPool knows, %d have (%s)",
			ErrUnvouched, k.need, len(k.keys), len(signers), strings.Join(signers, ", "))
	}
	var releases []Release
	for _, p := range []Platform{X86, ARM} {
		r := Release{Version: v, Platform: p}
		hash, ok := listed(sums, r.File())
		if !ok {
			return nil, signers, fmt.Errorf("%w: the signed list does not name %s", ErrUnvouched, r.File())
		}
		r.SHA256 = hash
		releases = append(releases, r)
	}
	return releases, signers, nil
}

// listed finds a file's hash in the format of sha256sum. A name that is there
// twice is not there.
func listed(sums []byte, file string) (h Hash, ok bool) {
	for line := range strings.Lines(string(sums)) {
		text, name, found := strings.Cut(strings.TrimRight(line, "\n"), "  ")
		if !found || name != file {
			continue
		}
		if ok || h.UnmarshalText([]byte(text)) != nil {
			return Hash{}, false
		}
		ok = true
	}
	return h, ok
}

// signers returns who has signed, each once, in the order of their names. The
// file is one armored block after the other, as the builders' own are put
// together.
func (k Keyring) signers(signed, signatures []byte, now time.Time) []string {
	found := map[string]bool{}
	in := bufio.NewReader(bytes.NewReader(signatures))
	for {
		block, err := armor.Decode(in)
		if err != nil {
			break
		}
		if block.Type != openpgp.SignatureType {
			continue
		}
		packets := packet.NewReader(block.Body)
		for {
			p, err := packets.Next()
			if err != nil {
				break // the next block may be better
			}
			if signature, ok := p.(*packet.Signature); ok {
				if name, ok := k.signer(signed, signature, now); ok {
					found[name] = true
				}
			}
		}
		_, _ = io.Copy(io.Discard, block.Body)
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// signer returns whose signature it is, if it is good.
func (k Keyring) signer(signed []byte, signature *packet.Signature, now time.Time) (string, bool) {
	if signature.SigType != packet.SigTypeBinary {
		return "", false
	}
	var one bytes.Buffer
	if err := signature.Serialize(&one); err != nil {
		return "", false
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	entity, err := openpgp.CheckDetachedSignature(k.keys, bytes.NewReader(signed), &one, config)
	if err != nil {
		return "", false
	}
	name, ok := k.names[fingerprint(entity)]
	return name, ok
}

// Vouched asks the server for a version's list of hashes and its signatures,
// and returns the releases that enough builders have signed for.
func (s Source) Vouched(ctx context.Context, v Version, k Keyring, now time.Time) ([]Release, []string, error) {
	sums, signatures, err := s.statement(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	return k.Vouch(v, sums, signatures, now)
}

// statement fetches a version's list of hashes and what the builders have signed
// it with.
func (s Source) statement(ctx context.Context, v Version) (sums, signatures []byte, err error) {
	s = s.withDefaults()
	client := s.client()
	defer client.CloseIdleConnections()
	if sums, err = s.small(ctx, client, v.Dir()+sumsFile); err != nil {
		return nil, nil, err
	}
	signatures, err = s.small(ctx, client, v.Dir()+signaturesFile)
	return sums, signatures, err
}

// The names of a version's list of hashes and of the signatures for it.
const (
	sumsFile       = "SHA256SUMS"
	signaturesFile = "SHA256SUMS.asc"
)

// small fetches a file of text.
func (s Source) small(ctx context.Context, client *http.Client, path string) ([]byte, error) {
	const most = 1 << 20
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	a, err := s.request(ctx, client, path, resumption{})
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", path, err)
	}
	defer a.body.Close()
	text, err := io.ReadAll(io.LimitReader(a.body, most+1))
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", path, err)
	}
	if len(text) > most {
		return nil, fmt.Errorf("download %s: %w", path, ErrTooLarge)
	}
	return text, nil
}
