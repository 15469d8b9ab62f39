package replica

// long is a list of which there may be millions, in pages: to grow it never copies, which would hold up whoever waits
// for the machine.
type long[T any] struct {
	pages []*[longPage]T
	first int // index of the first item within the first page
	n     int
}

const longPage = 512

func (l *long[T]) len() int { return l.n }

// at is item i, from 0.
func (l *long[T]) at(i int) *T {
	i += l.first
	return &l.pages[i/longPage][i%longPage]
}

func (l *long[T]) push(v T) {
	if l.first+l.n == len(l.pages)*longPage {
		l.pages = append(l.pages, new([longPage]T))
	}
	l.n++
	*l.at(l.n - 1) = v
}

// pop takes out the last item, of which there must be one.
func (l *long[T]) pop() (v T) {
	last := l.at(l.n - 1)
	v, *last = *last, v
	l.n--
	if end := len(l.pages) - 1; l.first+l.n == end*longPage {
		l.pages[end] = nil
		l.pages = l.pages[:end]
	}
	return v
}

// shift takes out the first item, of which there must be one.
func (l *long[T]) shift() (v T) {
	first := l.at(0)
	v, *first = *first, v
	l.first++
	l.n--
	if l.first == longPage {
		l.pages[0] = nil
		l.pages, l.first = l.pages[1:], 0
	}
	return v
}
