package ledger

import (
	"crypto/sha256"
	"encoding/binary"
)

// Digest is one link of a hash chain: SHA-256 over the hash before it, which is
// 32 zero bytes for the first link, and fields, each preceded by its length in
// 8 big-endian bytes. Numbers are fields in decimal. No two lists of fields
// have the same encoding.
func Digest(prev []byte, fields ...string) []byte {
	b := append(make([]byte, 0, 512), prev...)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint64(b, uint64(len(f)))
		b = append(b, f...)
	}
	sum := sha256.Sum256(b)

	return sum[:]
}
