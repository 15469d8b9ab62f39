package view

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moongate-hub/moongate/journal"
)

// Compare makes the views anew from the journal, at another path and up to where the existing file is, and tells every
// table that differs. It does not write to the existing file, and gives the number of rows looked at.
func Compare(ctx context.Context, existing, scratch string, src Source, views ...View) (differences []string, rows int64, err error) {
	// A copy, so that not even SQLite's own files appear beside the original.
	for _, ext := range []string{"", "-wal"} {
		if err := copyFile(existing+ext, scratch+".old"+ext); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, 0, fmt.Errorf("view: %w", err)
		}
	}
	old, err := sql.Open("sqlite", "file:"+scratch+".old")
	if err != nil {
		return nil, 0, fmt.Errorf("view: %w", err)
	}
	defer old.Close()
	var at int64
	if err := old.QueryRowContext(ctx, `SELECT position FROM moongate_views`).Scan(&at); err != nil {
		return []string{fmt.Sprintf("%s cannot be read (%v); delete it, it is made anew at start", existing, err)}, 0, nil
	}
	s, err := Open(scratch, views...)
	if err != nil {
		return nil, 0, err
	}
	defer s.Close() //nolint:errcheck // thrown away
	if end, _ := src.Durable(); journal.Position(at) > end {
		return []string{fmt.Sprintf("the views are at event %d but the journal ends at %d", at, end)}, 0, nil
	}
	for s.Position() < journal.Position(at) {
		if err := s.batch(ctx, src, s.Position(), journal.Position(at)); err != nil {
			return nil, 0, err
		}
	}
	tables, err := s.read.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'moongate_views' ORDER BY name`)
	if err != nil {
		return nil, 0, fmt.Errorf("view: %w", err)
	}
	defer tables.Close()
	var names []string
	for tables.Next() {
		var n string
		if err := tables.Scan(&n); err != nil {
			return nil, 0, fmt.Errorf("view: %w", err)
		}
		names = append(names, n)
	}
	if err := tables.Err(); err != nil {
		return nil, 0, fmt.Errorf("view: %w", err)
	}
	for _, name := range names {
		want, n, err := digest(ctx, s.read, name)
		if err != nil {
			return nil, 0, err
		}
		have, m, err := digest(ctx, old, name)
		if err != nil || have != want {
			differences = append(differences, fmt.Sprintf("table %s: %d rows where the journal gives %d, or others (%v)", name, m, n, err))
		}
		rows += n
	}
	return differences, rows, nil
}

// digest is a hash of a table that does not depend on the order of its rows.
func digest(ctx context.Context, db *sql.DB, table string) (sum [32]byte, n int64, err error) {
	rows, err := db.QueryContext(ctx, `SELECT * FROM "`+table+`"`) //nolint:gosec // a name from our own schema
	if err != nil {
		return sum, 0, fmt.Errorf("view: %s: %w", table, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return sum, 0, fmt.Errorf("view: %s: %w", table, err)
	}
	cells, at := make([]any, len(cols)), make([]any, len(cols))
	for i := range cells {
		at[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(at...); err != nil {
			return sum, n, fmt.Errorf("view: %s: %w", table, err)
		}
		h := sha256.Sum256(fmt.Appendf(nil, "%#v", cells))
		for i := range sum {
			sum[i] ^= h[i]
		}
		n++
	}
	return sum, n, rows.Err()
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
