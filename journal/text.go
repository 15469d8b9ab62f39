package journal

import (
	"encoding/binary"
	"unicode/utf8"
)

// ValidText tells whether all text in what [Encoding] wrote is UTF-8. It takes nothing that Encoding does not write,
// such as lengths that are left open.
func ValidText(b []byte) bool {
	for items := uint64(1); items > 0; items-- {
		if len(b) == 0 {
			return false
		}
		major, info := b[0]>>5, b[0]&31
		b = b[1:]
		arg := uint64(info)
		if info >= 24 {
			if info > 27 {
				return false
			}
			size := 1 << (info - 24)
			if len(b) < size {
				return false
			}
			var full [8]byte
			copy(full[8-size:], b[:size])
			arg, b = binary.BigEndian.Uint64(full[:]), b[size:]
		}
		switch major {
		case 2, 3: // bytes, text
			if arg > uint64(len(b)) || major == 3 && !utf8.Valid(b[:arg]) {
				return false
			}
			b = b[arg:]
		case 4, 5: // array, map
			if arg > uint64(len(b)) {
				return false
			}
			items += arg
			if major == 5 {
				items += arg
			}
		case 6: // tag
			items++
		}
	}
	return len(b) == 0
}
