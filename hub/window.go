package hub

import (
	"context"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/settle"
)

// agreementsLookedThrough bounds how many agreements one page of open windows looks through: most may have none.
const agreementsLookedThrough = 5000

// openCursor begins the cursors of open windows, so that none is taken for one of closed windows.
const openCursor = "open/"

// OpenWindows lists the windows that crossings still add to, agreement by agreement, newest first: those in which the
// reader has a position, with that position, or all, for those who may see everybody's. Of is the agreement that it is
// narrowed to, if any. A page ends with an agreement, so it may hold a few more rows than limit, or fewer: the cursor,
// "" at the end, tells whether more follow. Lists do not hold what is open; the state does, so a row is as new as that.
func (h *Hub) OpenWindows(ctx context.Context, r Reader, of moongate.ID, after string, limit int) (rows []settle.WindowRow, next string, err error) {
	if !of.IsZero() {
		h.Machine().Read(func() { rows = h.openWindowsOf(r, of, 0) })
		return rows, "", nil
	}
	after, ours := strings.CutPrefix(after, openCursor)
	if after != "" && !ours {
		return nil, "", &moongate.Error{Code: moongate.Malformed, Field: "after", Message: "the cursor is of closed windows", Hint: "pass it on with the state that it was given for"}
	}
	whose := r.Handle
	if r.All {
		whose = ""
	}
	for looked := 0; looked < agreementsLookedThrough; looked += limit {
		found, more, err := agreement.List(ctx, h.Views, agreement.Filter{Party: whose, Status: "agreed"}, after, limit)
		if err != nil {
			return nil, "", err
		}
		h.Machine().Read(func() {
			for i := range found {
				if id, err := moongate.ParseID(found[i].Agreement); err == nil {
					rows = append(rows, h.openWindowsOf(r, id, found[i].Version)...)
				}
			}
		})
		if after = more; after == "" || len(rows) >= limit {
			break
		}
	}
	if after != "" {
		after = openCursor + after
	}
	return rows, after, nil
}

// openWindowsOf is called under the machine's Read, with a version of an agreement, 0 for whichever; the newest one stands
// for all.
func (h *Hub) openWindowsOf(r Reader, id moongate.ID, version int) (rows []settle.WindowRow) {
	terms, err := h.Agreement.Last(id)
	if err != nil || version != 0 && terms.Doc.Version != version {
		return nil
	}
	for _, code := range terms.Doc.Scope.Currencies {
		c, err := money.ParseCurrency(code)
		if err != nil {
			continue
		}
		w, ok := h.Settle.Current(id, c)
		if !ok {
			continue
		}
		position, stands := h.Settle.Position(w.ID, r.Handle)
		if !stands && !r.All {
			continue
		}
		row := settle.WindowRow{Window: w.ID.String(), Agreement: id.String(), Currency: c.String(), From: w.From, Until: w.Until, Status: w.Status.String()}
		if stands {
			row.Party, row.Position, row.Net = r.Handle, position, position.Net()
		}
		rows = append(rows, row)
	}
	return rows
}
