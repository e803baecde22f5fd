package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Site is where Bitcoin Core is published.
const Site = "https://bitcoincore.org/bin/"

// Hash is the SHA-256 of a whole file.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash for JSON.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("%q is not a SHA-256", text)
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("%q is not a SHA-256", text)
	}
	return nil
}

// Release is one published file: a version for a platform.
type Release struct {
	Version  Version  `json:"version"`
	Platform Platform `json:"platform"`
	SHA256   Hash     `json:"sha256"` // of the .tar.gz
}

// Dir is the folder of a version's files below [Site].
func (v Version) Dir() string { return "bitcoin-core-" + v.String() + "/" }

// Name is what the release's folder is called, in the archive and on the box.
func (r Release) Name() string { return "bitcoin-" + r.Version.String() }

// File is the name of the published file.
func (r Release) File() string { return r.Name() + "-" + string(r.Platform) + ".tar.gz" }

// Pins returns the releases that this program knows by their hash, the newest
// first.
func Pins() []Release {
	return []Release{
		pin(31, 1, X86, "b80d9c3e04da78fb6f0569685673418cf686fadba9042d926d13fb87ff503f9e"),
		pin(31, 1, ARM, "dcf1873f2208ba4f962f3398d47e154c39c0084be8f4553e05c940d0ace3d004"),
		pin(30, 3, X86, "4753cd70416c629a2090503e8545a3c05e94a0f5037f8fb97b4c35c6e1afee0e"),
		pin(30, 3, ARM, "a4687d825d8afa62b7b04dd6f3e53ac6bb1d12d8377979c27423c6746eca52f2"),
		pin(29, 4, X86, "e15bff6f6d21a315c4af25d2e8ae933a22bd51e924e0e90ab0474e1e11516331"),
		pin(29, 4, ARM, "bc5353b3cda4a32c4ab7e46feed7fdb6ad68f23430743fee2e1fe0718df78db9"),
	}
}

func pin(major, minor int, p Platform, hash string) Release {
	r := Release{Version: Version{major, minor}, Platform: p}
	if err := r.SHA256.UnmarshalText([]byte(hash)); err != nil {
		panic(err) // a slip in the table above
	}
	return r
}
