package webui

import (
	"fmt"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

// qr is a QR code as one SVG path. It is drawn here, because a QR service
// would learn every address that somebody looks at.
type qr struct {
	Text string
	Size int // modules along one side, with the quiet zone of four
	Path string
}

// qrOf encodes text at medium redundancy. Upper-case bech32 addresses and
// URIs use the alphanumeric mode and give a smaller code.
func qrOf(text string) (qr, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return qr{}, fmt.Errorf("encode QR: %w", err)
	}
	modules := code.Bitmap()
	var path strings.Builder
	for y, row := range modules {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			run := 1
			for x+run < len(row) && row[x+run] {
				run++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x, y, run, run)
			x += run
		}
	}
	return qr{Text: text, Size: len(modules), Path: path.String()}, nil
}

// paymentQR is the code that wallets read as an address. A bech32 address may
// be written in upper case, which makes the code smaller; a base58 one may not.
func paymentQR(address string) (qr, error) {
	if isBech32(address) {
		return qrOf("BITCOIN:" + strings.ToUpper(address))
	}
	return qrOf("bitcoin:" + address)
}

func isBech32(address string) bool {
	for _, prefix := range []string{"bc1", "tb1", "bcrt1"} {
		if strings.HasPrefix(address, prefix) {
			return true
		}
	}
	return false
}
