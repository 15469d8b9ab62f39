package agreement_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/money"
)

// dues writes fees as a reader would: "commission 500, wallet_fee 60, pool 200".
func dues(t testing.TB, terms *agreement.Terms, list []agreement.Due) string {
	t.Helper()
	text := ""
	for i, d := range list {
		name := "pool"
		if !d.Pool {
			name = terms.Doc.Fees[d.Line].ID
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", name, d.Minor)
	}
	return text
}

func TestFees(t *testing.T) {
	for _, c := range []struct {
		name, file string
		sale       agreement.Sale
		want       string
	}{
		{
			"a hundred yuan", "three-gardens.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 100_00, Touched: true},
			"commission 500, wallet_fee 60, pool 200",
		},
		{
			"without a touch there is no pool", "three-gardens.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 100_00},
			"commission 500, wallet_fee 60",
		},
		{
			"freight bears no commission", "three-gardens.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 100_00, Freight: 20_00, Touched: true},
			"commission 400, wallet_fee 60, pool 160",
		},
		{
			"each part of the volume at its own rate", "three-gardens.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 100_00, Volume: 99_960_00, Touched: true},
			"commission 440, wallet_fee 60, pool 176", // 40.00 at 5 %, 60.00 at 4 %
		},
		{
			"the least fee", "three-gardens.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 30},
			"commission 1, wallet_fee 1", // 1.5 fen, capped at 6 % or 1.8 fen; and 0.18 fen
		},
		{
			"the floor cuts the last line first", "three-gardens.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 10},
			"commission 0, wallet_fee 1", // the cap of 6 % is 0.6 fen; the floor of 90 % leaves 1 fen
		},
		{
			"of nothing nothing", "small-sellers-together.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Class: "goods"},
			"commission 0, service 0, wallet_fee 0",
		},
		{
			"a class with its own rate", "small-sellers-together.yaml",
			agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Class: "fresh_food", Gross: 100_00},
			"commission 100, service 10, wallet_fee 60",
		},
		{
			"a line for some classes", "app-developers.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.USD, Class: "one_time", Gross: 500_00, Tax: 80_00},
			"one_time 2500", // 8 % of 420.00 is 33.60, and 25.00 the most
		},
		{
			"United States, 27 %", "apple-us-2024.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.USD, Class: "standard", Gross: 100_00},
			"commission 2700",
		},
		{
			"United States, 12 %", "apple-us-2024.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.USD, Class: "small_business", Gross: 100_00},
			"commission 1200",
		},
		{
			"United States, zero", "apple-us-2025.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.USD, Class: "standard", Gross: 100_00},
			"commission 0",
		},
		{
			"European Union, full services", "apple-eu-2025.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.EUR, Class: "services_full", Gross: 100_00},
			"acquisition 200, services 1300, core_technology 500",
		},
		{
			"European Union, basic services", "apple-eu-2025.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.EUR, Class: "services_basic", Gross: 100_00},
			"acquisition 200, services 500, core_technology 500",
		},
		{
			"Japan, in the app", "apple-japan-2025.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.JPY, Class: "in_app", Gross: 1000},
			"commission 210, processing 50",
		},
		{
			"Japan, a link", "apple-japan-2025.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.JPY, Class: "link_out", Gross: 1000},
			"commission 150",
		},
		{
			"Korea", "apple-korea.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.Currency{'K', 'R', 'W'}, Class: "anything", Gross: 10000},
			"commission 2600",
		},
		{
			"a small business that crosses its million", "apple-small-business.yaml",
			agreement.Sale{Kind: agreement.Conversion, Currency: money.USD, Gross: 2_000_00, Volume: 999_000_00},
			"commission 45000", // 1,000 at 15 %, 1,000 at 30 %
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			terms := example(t, c.file)
			got, err := terms.Fees(nil, c.sale)
			if err != nil {
				t.Fatal(err)
			}
			if text := dues(t, terms, got); text != c.want {
				t.Errorf("fees are\n%s, want\n%s", text, c.want)
			}
		})
	}
}

func TestFeesRefuse(t *testing.T) {
	good := agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 100}
	for _, c := range []struct {
		name, file string
		change     func(*agreement.Sale)
		code       moongate.Code
	}{
		{"a kind out of scope", "small-sellers-together.yaml", func(s *agreement.Sale) { s.Kind = agreement.Conversion }, moongate.Refused},
		{"a refund by itself", "three-gardens.yaml", func(s *agreement.Sale) { s.Kind = agreement.Refund }, moongate.Refused},
		{"an unknown kind", "three-gardens.yaml", func(s *agreement.Sale) { s.Kind = "launch" }, moongate.Refused},
		{"a currency out of scope", "three-gardens.yaml", func(s *agreement.Sale) { s.Currency = money.USD }, moongate.Refused},
		{"a class out of scope", "small-sellers-together.yaml", func(s *agreement.Sale) { s.Class = "cars" }, moongate.Refused},
		{"a negative amount", "three-gardens.yaml", func(s *agreement.Sale) { s.Gross = -1 }, moongate.Malformed},
		{"more freight than gross", "three-gardens.yaml", func(s *agreement.Sale) { s.Freight = 101 }, moongate.Malformed},
		{"an absurd amount", "three-gardens.yaml", func(s *agreement.Sale) { s.Gross = 1 << 62 }, moongate.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			sale := good
			if c.file == "small-sellers-together.yaml" {
				sale.Class = "goods"
			}
			c.change(&sale)
			if _, err := example(t, c.file).Fees(nil, sale); moongate.CodeOf(err) != c.code {
				t.Errorf("error %v, want code %s", err, c.code)
			}
		})
	}
}

func TestRefund(t *testing.T) {
	terms := example(t, "small-sellers-together.yaml")
	sale := agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Class: "goods", Gross: 100_00}
	back := func(from, to int64) string {
		before, after := sale, sale
		before.Gross, after.Gross = from, to
		list, err := terms.Refund(nil, before, after)
		if err != nil {
			t.Fatal(err)
		}
		return dues(t, terms, list)
	}
	for _, c := range []struct {
		from, to int64
		want     string
	}{
		{100_00, 60_00, "commission -120, service 0, wallet_fee -24"},
		{60_00, 0, "commission -180, service 0, wallet_fee -36"}, // the service fee is kept, even of the whole
		{100_00, 100_00, "commission 0, service 0, wallet_fee 0"},
	} {
		if got := back(c.from, c.to); got != c.want {
			t.Errorf("from %d to %d: %s, want %s", c.from, c.to, got, c.want)
		}
	}
	if _, err := terms.Refund(nil, agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Class: "goods", Gross: 1}, sale); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("a refund that raises the sale: %v", err)
	}
}

func TestRefundOfEverythingReturnsFixedFees(t *testing.T) {
	terms := example(t, "three-gardens.yaml")
	list, err := terms.Refund(nil, agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 30}, agreement.Sale{})
	if err != nil {
		t.Fatal(err)
	}
	if got := dues(t, terms, list); got != "commission -1, wallet_fee -1" {
		t.Error(got)
	}
}

func TestPeriodStart(t *testing.T) {
	month, year := example(t, "three-gardens.yaml"), example(t, "apple-small-business.yaml")
	var at, wantMonth, wantYear moongate.Time
	for to, text := range map[*moongate.Time]string{&at: "2026-06-30T16:30:00Z", &wantMonth: "2026-06-30T16:00:00Z", &wantYear: "2026-01-01T00:00:00Z"} {
		if err := to.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got := month.PeriodStart(at); got != wantMonth { // July has begun at +08:00
		t.Errorf("month began at %s", got)
	}
	if got := year.PeriodStart(at); got != wantYear {
		t.Errorf("year began at %s", got)
	}
}

func TestSharing(t *testing.T) {
	rule, window, ok := example(t, "three-gardens.yaml").Sharing()
	if !ok || window != 30*moongate.Day {
		t.Fatalf("window %v, %v", window, ok)
	}
	if err := rule.Check(); err != nil {
		t.Error(err)
	}
	want := money.BasisPoints(7000)
	if len(rule.Limits) != 1 || rule.Limits[0].Cap == nil || rule.Limits[0].Cap.Rate != want || rule.Limits[0].Floor != nil {
		t.Errorf("limits %v", cmp.Diff(nil, rule.Limits))
	}
}

func BenchmarkFees(b *testing.B) {
	terms := example(b, "three-gardens.yaml")
	sale := agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Gross: 199_90, Freight: 12_00, Volume: 12_345_67, Touched: true}
	room := make([]agreement.Due, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := terms.Fees(room, sale); err != nil {
			b.Fatal(err)
		}
	}
}

// What somebody adds to a sale can be spent on its fees before the floor is reached.
func TestSubsidyRaisesWhatFeesMayTake(t *testing.T) {
	text := string(agreement.Examples()["small-sellers-together.yaml"])
	for _, change := range [][2]string{
		{"  - id: commission\n", "  - {id: subsidy, from: wallet, to: seller, fixed: {CNY: \"0.20\"}}\n  - id: commission\n"},
		{"    fixed: {CNY: \"0.10\"}", "    fixed: {CNY: \"0.50\"}"},
		{"{party: seller, bps: 9500}", "{party: seller, bps: 6000}"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("no %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	d, err := agreement.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	terms, err := agreement.Compile(d)
	if err != nil {
		t.Fatal(err)
	}
	for gross, want := range map[int64]string{
		1_00: "subsidy 20, commission 3, service 50, wallet_fee 1", // 40 + 20 may go
		50:   "subsidy 20, commission 2, service 38, wallet_fee 0", // 20 + 20 may go: the last line is cut
	} {
		got, err := terms.Fees(nil, agreement.Sale{Kind: agreement.Payment, Currency: money.CNY, Class: "goods", Gross: gross})
		if err != nil {
			t.Fatal(err)
		}
		if text := dues(t, terms, got); text != want {
			t.Errorf("of %d: %s, want %s", gross, text, want)
		}
	}
}
