package party_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
)

// memory is a local machine's journal as a source of views.
type memory struct{ local *replica.Local }

func (m memory) Durable() (journal.Position, uint64) {
	return m.local.Machine.Position(), uint64(len(m.local.Records))
}

func (m memory) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	entries, err := m.local.Entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Position >= from && kinds[e.Event.EventKind()] {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestDirectory(t *testing.T) {
	h := newHub(t, party.Limits{})
	for i := range 5 {
		h.do("op", &party.Register{Handle: fmt.Sprintf("stall-%d", i), Kind: party.Merchant, Name: fmt.Sprintf("Stall %d%%", i)})
	}
	h.do("mall", &party.Rename{Handle: "mall", Name: "Night Mall", NameZH: "夜市"})
	h.do("op", &party.Suspend{Handle: "stall-1", Reason: "closed"})
	h.do("op", &party.Suspend{Handle: "stall-2", Reason: "closed"})
	h.do("op", &party.Resume{Handle: "stall-2"})
	store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), h.room.Views()...)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()
	if _, err := store.CatchUp(ctx, memory{h.local}); err != nil {
		t.Fatal(err)
	}

	var handles []string
	for after, pages := "", 0; ; pages++ {
		rows, next, err := party.List(ctx, store, party.Filter{}, after, 3)
		if err != nil || pages > 3 {
			t.Fatal(pages, err)
		}
		for _, r := range rows {
			handles = append(handles, r.Handle)
		}
		if after = next; after == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"stall-4", "stall-3", "stall-2", "stall-1", "stall-0", "op", "mall"}, handles); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		filter party.Filter
		want   []party.Row
	}{
		{party.Filter{Search: "夜"}, []party.Row{{Handle: "mall", Kind: party.Platform, Name: "Night Mall", NameZH: "夜市", Since: t0}}},
		{party.Filter{Search: "1%", Kind: party.Merchant}, []party.Row{{Handle: "stall-1", Kind: party.Merchant, Name: "Stall 1%", Since: t0, Suspended: "closed"}}},
		{party.Filter{Search: "_", Kind: party.Merchant}, []party.Row{}},
		{party.Filter{Search: "L-2"}, []party.Row{{Handle: "stall-2", Kind: party.Merchant, Name: "Stall 2%", Since: t0}}},
		{party.Filter{Kind: party.Wallet}, []party.Row{}},
	} {
		got, next, err := party.List(ctx, store, tt.filter, "", 10)
		if err != nil || next != "" {
			t.Errorf("%+v: %q %v", tt.filter, next, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v: %s", tt.filter, diff)
		}
	}
	for _, bad := range []struct {
		after string
		limit int
	}{{"", 0}, {"", 501}, {"x", 1}} {
		if _, _, err := party.List(ctx, store, party.Filter{}, bad.after, bad.limit); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
