package agreement

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

// Views gives the room's lists.
func (s *State) Views() []view.View { return []view.View{list{}} }

// list keeps the versions of all agreements and who stands in them.
type list struct{}

func (list) Name() string { return "agreement" }

func (list) Schema() string {
	return `
CREATE TABLE agreement_version (
	agreement TEXT NOT NULL, version INTEGER NOT NULL, slug TEXT NOT NULL, name_en TEXT NOT NULL, name_zh TEXT NOT NULL,
	kind TEXT NOT NULL, sha256 TEXT NOT NULL, proposer TEXT NOT NULL, proposed INTEGER NOT NULL,
	status TEXT NOT NULL, from_time INTEGER NOT NULL, until_time INTEGER NOT NULL,
	PRIMARY KEY (agreement, version)
) WITHOUT ROWID;
CREATE INDEX agreement_version_by_time ON agreement_version (proposed, agreement, version);
CREATE TABLE agreement_party (
	agreement TEXT NOT NULL, version INTEGER NOT NULL, role TEXT NOT NULL, party TEXT NOT NULL,
	named INTEGER NOT NULL, signed INTEGER NOT NULL, ends INTEGER NOT NULL,
	PRIMARY KEY (party, agreement, version, role)
) WITHOUT ROWID;
CREATE INDEX agreement_party_by_agreement ON agreement_party (agreement, version);`
}

func (list) Kinds() []string {
	return []string{"agreement.proposed", "agreement.signed", "agreement.agreed", "agreement.dropped", "agreement.left", "agreement.terminated"}
}

func (list) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Proposed:
		return foldDraft(tx, e, v)
	case *Signed:
		return tx.Exec(`INSERT INTO agreement_party VALUES (?, ?, ?, ?, 0, ?, 0)
			ON CONFLICT (party, agreement, version, role) DO UPDATE SET signed = excluded.signed, ends = 0`,
			v.Agreement.String(), v.Version, string(v.Role), v.Party, int64(e.At))
	case *Agreed:
		if err := tx.Exec(`UPDATE agreement_version SET status = 'agreed', from_time = ?, until_time = ? WHERE agreement = ? AND version = ?`,
			int64(v.From), int64(v.Until), v.Agreement.String(), v.Version); err != nil || v.Replaces == 0 {
			return err
		}
		if err := tx.Exec(`UPDATE agreement_version SET until_time = ? WHERE agreement = ? AND version = ? AND status = 'agreed' AND (until_time = 0 OR until_time > ?)`,
			int64(v.From), v.Agreement.String(), v.Replaces, int64(v.From)); err != nil {
			return err
		}
		return tx.Exec(`UPDATE agreement_version SET status = 'withdrawn' WHERE agreement = ? AND version = ? AND status = 'awaiting'`, v.Agreement.String(), v.Replaces)
	case *Dropped:
		return tx.Exec(`UPDATE agreement_version SET status = ? WHERE agreement = ? AND version = ?`, v.Status.String(), v.Agreement.String(), v.Version)
	case *Left:
		return tx.Exec(`UPDATE agreement_party SET ends = ? WHERE party = ? AND agreement = ? AND signed > 0 AND (ends = 0 OR ends > ?)`,
			int64(v.Ends), v.Party, v.Agreement.String(), int64(v.Ends))
	case *Terminated:
		if err := tx.Exec(`UPDATE agreement_version SET until_time = ? WHERE agreement = ? AND status = 'agreed' AND (until_time = 0 OR until_time > ?)`,
			int64(v.Ends), v.Agreement.String(), int64(v.Ends)); err != nil {
			return err
		}
		return tx.Exec(`UPDATE agreement_version SET status = 'withdrawn' WHERE agreement = ? AND status = 'awaiting'`, v.Agreement.String())
	}
	return nil
}

func foldDraft(tx *view.Tx, e journal.Entry, v *Proposed) error {
	d := stored(v.Document)
	if err := tx.Exec(`INSERT INTO agreement_version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'awaiting', ?, ?)`,
		v.Agreement.String(), v.Version, d.ID, d.Name["en"], d.Name["zh"], string(d.Offer.Kind), d.Fingerprint(), v.By,
		int64(e.At), int64(d.Valid.From), int64(d.Valid.Until)); err != nil {
		return err
	}
	for i := range d.Parties {
		p := &d.Parties[i]
		for _, one := range append([]string{p.ID}, p.Members...) {
			if one == "" {
				continue
			}
			if err := tx.Exec(`INSERT INTO agreement_party VALUES (?, ?, ?, ?, 1, 0, 0)`, v.Agreement.String(), v.Version, string(p.Role), one); err != nil {
				return err
			}
		}
	}
	return nil
}

// Row is one version in a list.
type Row struct {
	Agreement string        `json:"agreement"`
	Version   int           `json:"version"`
	Slug      string        `json:"id"`
	Name      Text          `json:"name"`
	Kind      OfferKind     `json:"kind"`
	SHA256    string        `json:"sha256"`
	Proposer  string        `json:"proposer,omitempty"`
	Proposed  moongate.Time `json:"proposed"`
	Status    string        `json:"status"`
	From      moongate.Time `json:"from"`
	Until     moongate.Time `json:"until,omitzero"`
}

// Filter narrows a list. The zero filter lists everything, which is for operators.
type Filter struct {
	Party  string // versions that name or bind this participant, and open offers that were agreed
	Status string
	Slug   string
}

// maxRows bounds one page.
const maxRows = 500

// List gives versions, newest first, at most limit of them (at most 500), and the cursor of the next page, "" at the
// end. It reads the views and is as old as they are.
func List(ctx context.Context, db view.DB, f Filter, after string, limit int) ([]Row, string, error) {
	where, args := []string{"1 = 1"}, []any{}
	if f.Party != "" {
		where = append(where, `(v.proposer = ? OR (v.kind = 'open' AND v.status = 'agreed') OR EXISTS
			(SELECT 1 FROM agreement_party p WHERE p.party = ? AND p.agreement = v.agreement AND p.version = v.version))`)
		args = append(args, f.Party, f.Party)
	}
	if f.Status != "" {
		where, args = append(where, "v.status = ?"), append(args, f.Status)
	}
	if f.Slug != "" {
		where, args = append(where, "v.slug = ?"), append(args, f.Slug)
	}
	if after != "" {
		at, id, version, err := parseCursor(after)
		if err != nil {
			return nil, "", err
		}
		where, args = append(where, "(v.proposed, v.agreement, v.version) < (?, ?, ?)"), append(args, at, id, version)
	}
	limit = max(1, min(limit, maxRows))
	rows, err := db.QueryContext(ctx, `SELECT v.agreement, v.version, v.slug, v.name_en, v.name_zh, v.kind, v.sha256, v.proposer, v.proposed, v.status, v.from_time, v.until_time
		FROM agreement_version v WHERE `+strings.Join(where, " AND ")+` ORDER BY v.proposed DESC, v.agreement DESC, v.version DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("agreement: list: %w", err)
	}
	defer rows.Close()
	var all []Row
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, "", fmt.Errorf("agreement: list: %w", err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("agreement: list: %w", err)
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = all[limit-1].cursor()
	}
	return all, next, nil
}

// cursor says where a row stands in the list. It tells nothing that the row does not: a journal's position would count
// what others did.
func (r *Row) cursor() string {
	return fmt.Sprintf("%d.%s.%d", int64(r.Proposed), r.Agreement, r.Version)
}

func parseCursor(text string) (at int64, id string, version int, err error) {
	parts := strings.Split(text, ".")
	if len(parts) == 3 {
		at, err = strconv.ParseInt(parts[0], 10, 64)
		if err == nil {
			version, err = strconv.Atoi(parts[2])
		}
		id = parts[1]
	}
	if len(parts) != 3 || err != nil {
		err = &moongate.Error{Code: moongate.Malformed, Field: "after", Message: fmt.Sprintf("%.40q is no cursor", text), Hint: "pass on the one of the page before"}
	}
	return at, id, version, err
}

func scanRow(rows *sql.Rows) (Row, error) {
	var r Row
	var en, zh, kind string
	var proposed, from, until int64
	err := rows.Scan(&r.Agreement, &r.Version, &r.Slug, &en, &zh, &kind, &r.SHA256, &r.Proposer, &proposed, &r.Status, &from, &until)
	r.Name, r.Kind = Text{}, OfferKind(kind)
	for lang, s := range map[string]string{"en": en, "zh": zh} {
		if s != "" {
			r.Name[lang] = s
		}
	}
	r.Proposed, r.From, r.Until = moongate.Time(proposed), moongate.Time(from), moongate.Time(until)
	return r, err
}

// Participation is one participant's part in a version.
type Participation struct {
	Role   Role          `json:"role"`
	Party  string        `json:"party"`
	Named  bool          `json:"named"`           // in the document itself
	Signed moongate.Time `json:"signed,omitzero"` // zero: not yet
	Ends   moongate.Time `json:"leaves,omitzero"` // gave notice
}

// Participants lists who stands in a version or still has to sign it, by role and name, at most limit of them after the
// given "role/party": those whom the document names and the reader itself, or, where the reader is "", all. See
// [State.MayCount].
func Participants(ctx context.Context, db view.DB, id moongate.ID, version int, reader, after string, limit int) ([]Participation, string, error) {
	role, who, _ := strings.Cut(after, "/")
	limit = max(1, min(limit, maxRows))
	rows, err := db.QueryContext(ctx, `SELECT role, party, named, signed, ends FROM agreement_party
		WHERE agreement = ? AND version = ? AND (role, party) > (?, ?) AND (? = '' OR named = 1 OR party = ?) ORDER BY role, party LIMIT ?`,
		id.String(), version, role, who, reader, reader, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("agreement: participants: %w", err)
	}
	defer rows.Close()
	var all []Participation
	for rows.Next() {
		var p Participation
		var signed, ends int64
		if err := rows.Scan(&p.Role, &p.Party, &p.Named, &signed, &ends); err != nil {
			return nil, "", fmt.Errorf("agreement: participants: %w", err)
		}
		p.Signed, p.Ends = moongate.Time(signed), moongate.Time(ends)
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("agreement: participants: %w", err)
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = string(all[limit-1].Role) + "/" + all[limit-1].Party
	}
	return all, next, nil
}
