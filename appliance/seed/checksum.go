package seed

import "strings"

const (
	// descriptorLetters are those of a descriptor, ordered in groups of 32 so that
	// the letters of keys and hashes, which are mistaken most, share a group.
	descriptorLetters = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "

	checksumLetters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// checksum is the one of BIP 380: eight letters that a node demands after the #.
// Letters that no descriptor has are left out.
func checksum(descriptor string) string {
	sum, group, groups := uint64(1), uint64(0), 0
	for _, r := range descriptor {
		at := strings.IndexRune(descriptorLetters, r)
		if at < 0 {
			continue
		}
		sum = polymod(sum, uint64(at%32))
		group = group*3 + uint64(at/32)
		if groups++; groups == 3 {
			sum = polymod(sum, group)
			group, groups = 0, 0
		}
	}
	if groups > 0 {
		sum = polymod(sum, group)
	}
	for range 8 {
		sum = polymod(sum, 0)
	}
	sum ^= 1
	text := make([]byte, 8)
	for i := range text {
		text[i] = checksumLetters[sum>>(5*(7-i))&31]
	}
	return string(text)
}

// polymod feeds five bits into the code's remainder.
func polymod(sum, value uint64) uint64 {
	top := sum >> 35
	sum = (sum&0x7ffffffff)<<5 ^ value
	for i, g := range [...]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd} {
		if top>>i&1 == 1 {
			sum ^= g
		}
	}
	return sum
}
