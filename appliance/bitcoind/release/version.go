package release

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is a version of Bitcoin Core, such as 31.1 or 28.4.
type Version struct{ Major, Minor int }

var versionPattern = regexp.MustCompile(`^([1-9][0-9]{1,2})\.(0|[1-9][0-9]?)$`)

// ParseVersion reads a version as it is written on the download page: two
// numbers and a dot. Release candidates are no versions.
func ParseVersion(text string) (Version, error) {
	match := versionPattern.FindStringSubmatch(text)
	if match == nil {
		return Version{}, fmt.Errorf("%q is not a version of Bitcoin Core; one looks like 31.1", text)
	}
	major, _ := strconv.Atoi(match[1]) // the pattern has seen to it
	minor, _ := strconv.Atoi(match[2])
	return Version{major, minor}, nil
}

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Compare returns -1, 0 or 1: whether v is older than o, the same, or newer.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor))
}

// IsZero tells whether v is no version.
func (v Version) IsZero() bool { return v == Version{} }

// MarshalText writes the version for JSON.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (v *Version) UnmarshalText(text []byte) (err error) {
	*v, err = ParseVersion(string(text))
	return err
}

// Platform is what a release is built for, in the words of its file names.
type Platform string

// The platforms that have pins.
const (
	X86 Platform = "x86_64-linux-gnu"
	ARM Platform = "aarch64-linux-gnu"
)

// PlatformOf returns the platform of a Go program; the error is a sentence.
func PlatformOf(goos, goarch string) (Platform, error) {
	switch goos + "/" + goarch {
	case "linux/amd64":
		return X86, nil
	case "linux/arm64":
		return ARM, nil
	}
	return "", fmt.Errorf("there is no release of Bitcoin Core for %s on %s that DMPool knows; it needs 64-bit Linux", goarch, goos)
}

// machine says the platform to people.
func (p Platform) machine() string {
	switch p {
	case X86:
		return "PCs (x86_64)"
	case ARM:
		return "64-bit ARM boards (aarch64)"
	}
	return string(p)
}
