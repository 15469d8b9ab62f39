package agreement

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/moongate-hub/moongate"
)

// CheckVersions finds what is wrong between the versions of one agreement, in any order: another id, a number used
// twice, a replacement that names another text, versions in force at the same time, a change on shorter notice than
// the version before grants. One version takes the place of another from its own beginning on where it says replaces,
// or answers it as a counter-offer. The error is [Faults]; fields are those of the later version.
func CheckVersions(docs ...*Document) error {
	list := slices.Clone(docs)
	slices.SortStableFunc(list, func(a, b *Document) int { return cmp.Compare(a.Version, b.Version) })
	r := &report{}
	ends := make([]moongate.Time, len(list)) // when each stops to be in force
	for i, d := range list {
		ends[i] = d.end()
		for j, before := range list[:i] {
			switch {
			case d.ID != before.ID:
				r.add("id", "check the versions of one agreement at a time", "%s is another agreement than %s", d.ID, before.ID)
				return r.err()
			case d.Version == before.Version:
				if d.Hash() != before.Hash() {
					r.add("version", fmt.Sprintf("make it version %d", d.Version+1), "version %d stands for two different texts", d.Version)
				}
			case d.place() != nil && d.place().Version == before.Version:
				ends[j] = min(ends[j], d.Valid.From)
				if want := d.place().SHA256; want != before.Fingerprint() {
					r.add("replaces.sha256", "copy it from: moongate agreement check FILE", "version %d has the SHA-256 %s, not %s", before.Version, before.Fingerprint(), want)
				}
			}
		}
	}
	for i, d := range list {
		for j, before := range list[:i] {
			if d.Version != before.Version && d.Valid.From < ends[j] && before.Valid.From < ends[i] {
				r.add("valid.from", fmt.Sprintf("begin when version %d ends, or say replaces: {version: %d, sha256: %s}", before.Version, before.Version, before.Fingerprint()),
					"versions overlap: version %d is in force from %s, version %d until %s", d.Version, d.Valid.From, before.Version, untilText(ends[j]))
			}
		}
	}
	return r.err()
}

// place is the version that this one takes the place of, nil for none.
func (d *Document) place() *Reference {
	if d.Replaces != nil {
		return d.Replaces
	}
	if c := d.Offer.Counter; c != nil && (c.ID == "" || c.ID == d.ID) {
		return c
	}
	return nil
}

// forever is the end of what has none.
const forever = moongate.Time(1<<63 - 1)

func (d *Document) end() moongate.Time {
	if d.Valid.Until == 0 {
		return forever
	}
	return d.Valid.Until
}

func untilText(end moongate.Time) string {
	if end == forever {
		return "further notice"
	}
	return end.String()
}

// CheckNotice tells whether a version that takes the place of another was announced early enough: the notice that
// before grants, and its notice of fee changes where fees change, lie between the announcement and the beginning.
func (d *Document) CheckNotice(before *Document, announced moongate.Time) error {
	notice, which := before.Valid.Notice, "notice"
	if g := before.Guards; g != nil && g.FeeChangeNotice > notice && feesChanged(before, d) {
		notice, which = g.FeeChangeNotice, "notice of fee changes"
	}
	if earliest := announced + notice.Time(); d.Valid.From < earliest {
		return &moongate.Error{
			Code: moongate.Refused, Field: "valid.from",
			Message: fmt.Sprintf("version %d begins at %s, but version %d grants a %s of %s", d.Version, d.Valid.From, before.Version, which, notice),
			Hint:    fmt.Sprintf("begin at %s or later, or have every party sign the earlier date", earliest),
		}
	}
	return nil
}

// feesChanged compares what two versions take, as written.
func feesChanged(a, b *Document) bool {
	return !reflect.DeepEqual(a.Fees, b.Fees) || !reflect.DeepEqual(a.Share, b.Share) || a.Rounding != b.Rounding
}
