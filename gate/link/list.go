package link

import (
	"context"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// DestinationRow is a destination in a list.
type DestinationRow struct {
	ID     moongate.ID   `json:"id"`
	Owner  string        `json:"owner"`
	Name   string        `json:"name"`
	NameZH string        `json:"name_zh,omitempty"`
	Host   string        `json:"host"`
	URL    string        `json:"url"`
	Since  moongate.Time `json:"since"`
	Closed bool          `json:"closed,omitempty"`
}

// LinkRow is a link in a list, with what it brought.
type LinkRow struct {
	Code        string        `json:"code"`
	Destination moongate.ID   `json:"destination"`
	Name        string        `json:"name"` // of the destination
	Publisher   string        `json:"publisher"`
	Owner       string        `json:"owner"`
	Agreement   moongate.ID   `json:"agreement"`
	Campaign    string        `json:"campaign,omitempty"`
	Since       moongate.Time `json:"since"`
	Closed      bool          `json:"closed,omitempty"`
	Opened      int64         `json:"opened"`
	Stopped     int64         `json:"stopped"`
}

// BlockRow is a block in a list, in force or not.
type BlockRow struct {
	Decision
	Stage     Stage         `json:"stage"`
	Appellant string        `json:"appellant,omitempty"`
	Statement string        `json:"statement,omitempty"`
	Grounds   string        `json:"grounds,omitempty"` // of the appeal's decision
	Ended     moongate.Time `json:"ended,omitzero"`
	How       End           `json:"how,omitempty"`
	Stopped   int64         `json:"stopped"`
}

// ConversionRow is a conversion in its owner's list.
type ConversionRow struct {
	ID        moongate.ID   `json:"id"`
	Publisher string        `json:"publisher"`
	Link      string        `json:"link"`
	Click     moongate.ID   `json:"click"`
	Reference string        `json:"reference"`
	Class     string        `json:"class,omitempty"`
	Crossing  moongate.ID   `json:"crossing"`
	Amount    money.Amount  `json:"amount"`
	At        moongate.Time `json:"at"`
	Recorded  moongate.Time `json:"recorded"`
}

// Each list gives up to limit rows (1 to 500), newest first, from a cursor on: see [view.List].

// Destinations lists destinations; the owner and a part of a host or name narrow it.
func Destinations(ctx context.Context, db view.DB, owner, search, after string, limit int) ([]DestinationRow, string, error) {
	q := &view.Query{Table: "destination", Columns: "id, owner, name, name_zh, host, url, since, closed", At: "since"}
	q.Is("owner", owner)
	if search != "" {
		pattern := like(search)
		q.Where(`(host LIKE ? ESCAPE '\' OR name LIKE ? ESCAPE '\' OR name_zh LIKE ? ESCAPE '\')`, pattern, pattern, pattern)
	}
	return view.List(ctx, db, q, after, limit, func(r *DestinationRow) []any {
		return []any{view.Text{To: &r.ID}, &r.Owner, &r.Name, &r.NameZH, &r.Host, &r.URL, &r.Since, &r.Closed}
	}, nil)
}

// Links lists the links that a participant publishes, or that lead to it; all where it is empty, for an operator.
func Links(ctx context.Context, db view.DB, participant string, destination moongate.ID, after string, limit int) ([]LinkRow, string, error) {
	q := &view.Query{
		Table: "link l JOIN destination d ON d.id = l.destination", At: "l.since", ID: "l.code",
		Columns: `l.code, l.destination, d.name, l.publisher, l.owner, l.agreement, l.campaign, l.since, l.closed,
			(SELECT coalesce(sum(opened), 0) FROM link_day n WHERE n.code = l.code),
			(SELECT coalesce(sum(stopped), 0) FROM link_day n WHERE n.code = l.code)`,
	}
	if participant != "" {
		q.Where("(l.publisher = ? OR l.owner = ?)", participant, participant)
	}
	q.Is("l.destination", destination.String())
	return view.List(ctx, db, q, after, limit, func(r *LinkRow) []any {
		return []any{
			&r.Code,
			view.Text{To: &r.Destination},
			&r.Name, &r.Publisher, &r.Owner,
			view.Text{To: &r.Agreement},
			&r.Campaign, &r.Since, &r.Closed,
			&r.Opened, &r.Stopped,
		}
	}, nil)
}

// BlockFilter narrows a list of blocks; what is zero does not.
type BlockFilter struct {
	ID      moongate.ID
	By      string // who decided
	Against string // whose destination is shut
	InForce bool
}

// Blocks lists blocks, which are public.
func Blocks(ctx context.Context, db view.DB, f BlockFilter, after string, limit int) ([]BlockRow, string, error) {
	q := &view.Query{Table: "link_block", At: "since", Columns: `id, decider, everywhere, agreement, destination, host, against, reason, facts, evidence, automated,
		since, expires, appeal_by, stage, appellant, statement, grounds, ended, how, stopped`}
	q.Is("decider", f.By)
	q.Is("against", f.Against)
	q.Is("id", f.ID.String())
	if f.InForce {
		q.Where("ended = 0")
	}
	return view.List(ctx, db, q, after, limit, func(r *BlockRow) []any {
		return []any{
			view.Text{To: &r.Block},
			&r.By, &r.Everywhere,
			view.Text{To: &r.Agreement},
			view.Text{To: &r.Destination},
			&r.Host, &r.Against, &r.Reason, &r.Facts, &r.Evidence,
			&r.Automated, &r.Since, &r.Expires, &r.AppealBy, &r.Stage, &r.Appellant, &r.Statement, &r.Grounds, &r.Ended, &r.How, &r.Stopped,
		}
	}, nil)
}

// Conversions lists the sales that an owner reported. They are nobody else's to see.
func Conversions(ctx context.Context, db view.DB, owner, after string, limit int) ([]ConversionRow, string, error) {
	q := &view.Query{Table: "conversion", Columns: "id, publisher, link, click, reference, class, crossing, currency, minor, at, recorded", At: "recorded"}
	q.Where("owner = ?", owner)
	return view.List(ctx, db, q, after, limit, func(r *ConversionRow) []any {
		return []any{
			view.Text{To: &r.ID},
			&r.Publisher, &r.Link,
			view.Text{To: &r.Click},
			&r.Reference, &r.Class,
			view.Text{To: &r.Crossing},
			view.Text{To: &r.Amount.Currency},
			&r.Amount.Minor,
			&r.At, &r.Recorded,
		}
	}, nil)
}

// like is a pattern that finds a text anywhere.
func like(search string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(search) + "%"
}
