package node

import (
	"encoding/hex"
	"encoding/json"
	"errors"
)

// Hex are bytes that the node writes in hexadecimal. It is assignable to []byte.
type Hex []byte

// UnmarshalJSON reads a string of hexadecimal digits.
func (h *Hex) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}

	raw, err := hex.DecodeString(text)
	if err != nil {
		return errors.New("not hexadecimal")
	}
	*h = raw

	return nil
}
