package console

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// noon is when the pages of the tests are drawn.
var noon = moongate.At(time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC))

func ago(d moongate.Time) moongate.Time { return noon - d }

func fen(minor int64) money.Amount { return money.Of(minor, money.CNY) }

// id makes an identifier that looks like one and is the same in every run.
func testID(k moongate.Kind, n int) string {
	var e [12]byte
	x := uint64(n)*0x9e3779b97f4a7c15 + uint64(k)
	for i := range e {
		x ^= x >> 27
		x *= 0x94d049bb133111eb
		e[i] = byte(x >> 56)
	}
	return moongate.NewID(k, moongate.Hub{1, 2, 3}, e).String()
}

func testHash(n int) string {
	x := uint64(n)*0x9e3779b97f4a7c15 + 77
	var b strings.Builder
	for range 4 {
		x ^= x >> 29
		x *= 0xbf58476d1ce4e5b9
		x ^= x >> 31
		fmt.Fprintf(&b, "%016x", x)
	}
	return b.String()
}

// gardens are the participants of the world that the pages show, by handle: kind, English, Chinese.
var gardens = map[string][3]string{
	"jasmine":    {"publisher", "Jasmine Reader", "茉莉阅读"},
	"willow":     {"publisher", "Willow Video", "柳岸视频"},
	"plum":       {"publisher", "Plum Notes", "梅笺社区"},
	"lotus":      {"platform", "Lotus Mall", "荷塘商城"},
	"bamboo":     {"platform", "Bamboo Market", "竹里集市"},
	"orchard":    {"platform", "Orchard Store", "果园应用商店"},
	"weixin":     {"wallet", "WeChat Pay", "微信支付"},
	"alipay":     {"wallet", "Alipay", "支付宝"},
	"sandbox":    {"wallet", "Sandbox wallet", "沙盒钱包"},
	"old-kiln":   {"merchant", "Old Kiln Pottery", "老窑陶坊"},
	"tea-hill":   {"merchant", "Tea Hill", "茶山记"},
	"north-loom": {"merchant", "North Loom", "北机织坊"},
	"ink":        {"app", "Ink Diary", "墨迹日记"},
	"tide":       {"app", "Tide Timer", "潮汐计时"},
	"heron":      {"publisher", "Heron Maps", "白鹭地图"},
	"moon":       {"operator", "Harbour Hub", "港湾枢纽"},
}

func garden(l Lang, handle string) Party {
	g, ok := gardens[handle]
	if !ok {
		panic("no garden " + handle)
	}
	name := g[1]
	if l == Chinese {
		name = g[2]
	}
	return Party{ID: handle, Kind: g[0], Name: name}
}

// fixture is a page with what it shows.
type fixture struct {
	name    string
	page    Page
	query   url.Values
	viewer  bool
	context func(*PageContext)
}

func (f fixture) draw(l Lang) PageContext {
	c := PageContext{Lang: l, Now: noon, Query: f.query, Token: "forgery-token", Hub: "harbour", Open: 66}
	if f.viewer {
		c.Viewer = Viewer{Party: garden(l, "moon"), Operator: true}
	}
	if f.context != nil {
		f.context(&c)
	}
	return c
}

// fixtures are all pages, filled as a busy hub would fill them.
func fixtures(l Lang) []fixture {
	in := func(english, chinese string) string {
		if l == Chinese {
			return chinese
		}
		return english
	}
	all := append(consoleFixtures(l, in), reconcileFixtures(l, in)...)
	for i := range all {
		all[i].viewer = true
	}
	return append(all, publicFixtures(l, in)...)
}

func split(l Lang) Split {
	return Split{Whole: fen(26800), Parts: []Part{
		{Party: garden(l, "old-kiln"), Purpose: "goods", Amount: fen(21414)},
		{Party: garden(l, "old-kiln"), Purpose: "freight", Amount: fen(1200)},
		{Party: garden(l, "bamboo"), Purpose: "commission", Amount: fen(2048), Rule: "8%"},
		{Party: garden(l, "jasmine"), Purpose: "traffic", Amount: fen(1977), Rule: "50% · 50%"},
		{Party: garden(l, "weixin"), Purpose: "wallet_fee", Amount: fen(161), Rule: "0.6%"},
	}}
}

func crossingLines(l Lang, n int) []CrossingLine {
	rows := []struct {
		kind, from, to, state string
		amount                int64
	}{
		{"payment", "jasmine", "bamboo", "done", 26800},
		{"link", "willow", "lotus", "done", 0},
		{"refund", "bamboo", "alipay", "done", -8950},
		{"link", "jasmine", "lotus", "refused", 0},
		{"conversion", "plum", "bamboo", "done", 1977},
		{"payment", "ink", "orchard", "pending", 1200},
		{"payment", "willow", "lotus", "done", 1289900},
	}
	lines := make([]CrossingLine, n)
	for i := range lines {
		r := rows[i%len(rows)]
		lines[i] = CrossingLine{
			ID: testID(moongate.KindCrossing, i), At: ago(moongate.Time(i*i*7+4) * moongate.Second), Kind: r.kind,
			From: garden(l, r.from), To: garden(l, r.to), State: r.state, Agreement: testID(moongate.KindAgreement, i%3),
		}
		if r.amount != 0 {
			lines[i].Amount = fen(r.amount + int64(i)*137)
		}
	}
	return lines
}

func flows(l Lang) []Flow {
	var all []Flow
	for _, f := range []struct {
		from, to string
		n, worth int64
	}{
		{"jasmine", "bamboo", 4120, 88210450},
		{"jasmine", "lotus", 1630, 20114200},
		{"willow", "lotus", 2980, 61200990},
		{"willow", "bamboo", 940, 11200410},
		{"plum", "bamboo", 1210, 9940100},
		{"plum", "lotus", 310, 1204500},
		{"ink", "orchard", 820, 984000},
		{"tide", "orchard", 260, 208000},
		{"bamboo", "weixin", 2210, 44210900},
		{"lotus", "alipay", 1730, 30110750},
	} {
		all = append(all, Flow{From: garden(l, f.from), To: garden(l, f.to), Count: f.n, Amounts: []money.Amount{fen(f.worth)}})
	}
	return all
}

func accounts(l Lang) []AccountLine {
	var lines []AccountLine
	for i, a := range []struct {
		owner, purpose  string
		posted, pending int64
	}{
		{"bamboo", "payable", 1204533, 26800},
		{"bamboo", "fee", -88012, 0},
		{"jasmine", "payable", 341977, 0},
		{"old-kiln", "payable", 884120, 22614},
		{"tea-hill", "payable", 91250, 0},
		{"weixin", "wallet", -2433868, -49414},
		{"moon", "clearing", 0, 0},
	} {
		line := AccountLine{
			ID: testID(moongate.KindTransfer, i), Owner: garden(l, a.owner), Purpose: a.purpose, Posted: fen(a.posted), Pending: fen(a.pending),
		}
		if a.purpose == "wallet" {
			line.Limit = fen(-5000000)
		}
		lines = append(lines, line)
	}
	return lines
}

func series(c money.Currency) Series {
	s := Series{Currency: c}
	x, v := uint64(42), int64(60)
	for i := range 60 {
		x = x*6364136223846793005 + 1442695040888963407
		v = max(4, v+int64(x>>59)-15)
		if !c.IsZero() {
			v = v*3 + int64(x>>54)
		}
		value := v
		if !c.IsZero() {
			value = 800000 + int64(i)*9000 - int64(x>>49)*8
			v = 60
		}
		s.Points = append(s.Points, Point{At: ago(moongate.Time(60-i) * moongate.Minute), Value: value})
	}
	return s
}

func hashes(n, from int) []Hash {
	h := make([]Hash, n)
	for i := range h {
		h[i] = Hash{Value: testHash(from + i), Left: (from*7+i*i)%3 == 1}
	}
	return h
}

func note() string {
	return "harbour.example/log\n184467\n" + "qQxWbl0vH3yJ0m2q6hCk3E1b1o8mE7y2hE4sVY3N8nQ=\n\n— harbour.example/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
}

func newRenderer(t testing.TB) *Renderer {
	t.Helper()
	r, err := New(Words())
	if err != nil {
		t.Fatal(err)
	}
	return r
}
