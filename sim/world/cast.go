package world

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Cast is who lives in the world.
type Cast struct {
	Publishers []Garden
	Markets    []*Market
	Store      Garden
	Apps       []App
	Wallets    []Purse
	Sellers    []*Seller // largest first
}

// Garden is a participant with a wall around it. House says to whom it belongs: what crosses from one house to another
// crosses a wall.
type Garden struct {
	Handle, Name, NameZH, House string
}

// Market is a marketplace and the goods on its shelves.
type Market struct {
	Garden
	Goods []Good
}

// Good is something to buy. Price and freight are fen.
type Good struct {
	Number         int
	Name, NameZH   string
	Seller         *Seller
	Price, Freight int64
}

// Seller is a merchant. Weight says how large it is against the others.
type Seller struct {
	Garden
	Weight int
}

// App is a small app in the store; what it sells on its own site is its own affair.
type App struct {
	Garden
	Weight int
}

// Purse is a wallet and the merchant account that the hub has there.
type Purse struct {
	Garden
	Kind              string // what it speaks: wechatpay or alipay
	MerchantID, AppID string
}

// Account is what the wallet's own controls call the account.
func (p Purse) Account() string {
	if p.Kind == alipay {
		return p.AppID
	}
	return p.MerchantID
}

// Kinds of wallets.
const (
	wechatpay = "wechatpay"
	alipay    = "alipay"
)

// houses own the platforms.
const (
	houseLotus = "House of Lotus"
	houseMaple = "House of Maple"
	houseCrane = "House of Crane"
	houseCarp  = "House of Carp"
	ownHouse   = "its own"
)

var houses = map[string]string{houseLotus: "荷府", houseMaple: "枫府", houseCrane: "鹤府", houseCarp: "鲤府", ownHouse: "自家"}

// Settle draws a cast. Sellers follow a power law: a few are large, most are small.
func Settle(c Chance, sellers int) Cast {
	cast := Cast{
		Publishers: []Garden{
			{"willow-reads", "Willow Reads", "柳荫读书", houseCrane},
			{"plum-notes", "Plum Notes", "梅边笔记", houseCarp},
		},
		Markets: []*Market{
			{Garden: Garden{"lotus-market", "Lotus Market", "荷塘集市", houseLotus}},
			{Garden: Garden{"maple-mall", "Maple Mall", "枫林商城", houseMaple}},
		},
		Store: Garden{"pavilion-store", "Pavilion Store", "亭台应用商店", houseMaple},
		Apps: []App{
			{Garden{"tea-timer", "Tea Timer", "茶时", ownHouse}, 9},
			{Garden{"ink-diary", "Ink Diary", "墨迹日记", ownHouse}, 3},
			{Garden{"cricket-songs", "Cricket Songs", "蛐蛐儿", ownHouse}, 1},
		},
		Wallets: []Purse{
			{Garden{"crane-pay", "Crane Pay", "鹤付", houseCrane}, wechatpay, "1900000109", "wx1900000109cafe01"},
			{Garden{"carp-pay", "Carp Pay", "锦鲤付", houseCarp}, alipay, "2088000000000117", "2021000000000117"},
		},
	}
	dice := c.Dice("cast")
	names := slices.Clone(shops)
	dice.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for i := range min(sellers, len(names)) {
		n := names[i]
		cast.Sellers = append(cast.Sellers, &Seller{
			Garden: Garden{n.handle, n.name, n.nameZH, ownHouse},
			Weight: int(math.Round(10 * power(dice, 1.6, 400))),
		})
	}
	sort.SliceStable(cast.Sellers, func(i, j int) bool { return cast.Sellers[i].Weight > cast.Sellers[j].Weight })
	for i, s := range cast.Sellers {
		home := dice.IntN(len(cast.Markets))
		for m, market := range cast.Markets {
			// The largest sell everywhere; the small ones cannot afford two counters.
			if m != home && i >= 4 {
				continue
			}
			market.stock(dice.IntN, s, 1+min(4, s.Weight/40))
		}
	}
	return cast
}

// stock puts some of a seller's goods on the shelves.
func (m *Market) stock(draw func(int) int, s *Seller, many int) {
	for range many {
		w := wares[draw(len(wares))]
		price := w.price/2 + int64(draw(int(w.price))) + 1
		price -= price % 10
		g := Good{Number: len(m.Goods) + 1, Name: w.name, NameZH: w.nameZH, Seller: s, Price: max(price, 100)}
		if draw(3) > 0 {
			g.Freight = int64(500 + 100*draw(14))
		}
		m.Goods = append(m.Goods, g)
	}
}

// Market finds a marketplace by its handle.
func (c *Cast) Market(handle string) *Market {
	for _, m := range c.Markets {
		if m.Handle == handle {
			return m
		}
	}
	return nil
}

// SellersOf are the sellers with a counter at a marketplace, largest first.
func (c *Cast) SellersOf(m *Market) []*Seller {
	var list []*Seller
	for _, s := range c.Sellers {
		if slices.ContainsFunc(m.Goods, func(g Good) bool { return g.Seller == s }) {
			list = append(list, s)
		}
	}
	return list
}

// NameOf is how people call a participant.
func (c *Cast) NameOf(handle string) string { return c.gardenOf(handle).Name }

// gardenOf is a participant, or one that is called by its handle where it is none of the cast.
func (c *Cast) gardenOf(handle string) Garden {
	for _, g := range c.everybody() {
		if g.Handle == handle {
			return g
		}
	}
	return Garden{Handle: handle, Name: handle, NameZH: handle}
}

// payees are those whom wallets pay.
func (c *Cast) payees() []Garden {
	all := slices.Clone(c.Publishers)
	for _, m := range c.Markets {
		all = append(all, m.Garden)
	}
	for _, s := range c.Sellers {
		all = append(all, s.Garden)
	}
	return all
}

func (c *Cast) everybody() []Garden {
	var all []Garden
	all = append(all, c.Publishers...)
	for _, m := range c.Markets {
		all = append(all, m.Garden)
	}
	all = append(all, c.Store)
	for _, a := range c.Apps {
		all = append(all, a.Garden)
	}
	for _, w := range c.Wallets {
		all = append(all, w.Garden)
	}
	for _, s := range c.Sellers {
		all = append(all, s.Garden)
	}
	return all
}

// String is how a good stands on its shelf.
func (g Good) String() string { return fmt.Sprintf("%s, of %s", g.Name, g.Seller.Name) }

type named struct{ handle, name, nameZH string }

var shops = []named{
	{"blue-hill-tea", "Blue Hill Tea", "青山茶庄"},
	{"old-kiln", "The Old Kiln", "老窑坊"},
	{"cold-spring-ink", "Cold Spring Ink", "寒泉墨斋"},
	{"bamboo-lane", "Bamboo Lane", "竹巷"},
	{"north-gate-noodles", "North Gate Noodles", "北门面坊"},
	{"white-crane-paper", "White Crane Paper", "白鹤纸坊"},
	{"cloud-silk", "Cloud Silk", "云锦绸庄"},
	{"moon-cakes-of-suzhou", "Moon Cakes of Suzhou", "苏式月饼"},
	{"stone-bridge-honey", "Stone Bridge Honey", "石桥蜂蜜"},
	{"three-rivers-rice", "Three Rivers Rice", "三江米行"},
	{"west-lake-umbrellas", "West Lake Umbrellas", "西湖伞铺"},
	{"ginger-sisters", "The Ginger Sisters", "姜家姐妹"},
	{"quiet-kettle", "The Quiet Kettle", "静壶"},
	{"red-lacquer", "Red Lacquer", "朱漆坊"},
	{"pine-soot", "Pine Soot", "松烟阁"},
	{"little-persimmon", "Little Persimmon", "小柿子"},
	{"grandmother-luo", "Grandmother Luo", "罗奶奶"},
	{"salt-well", "Salt Well", "盐井坊"},
	{"iron-wok", "Iron Wok", "铁锅李"},
	{"jade-needle", "The Jade Needle", "玉针坊"},
	{"hundred-buttons", "A Hundred Buttons", "百扣斋"},
	{"rain-alley-books", "Rain Alley Books", "雨巷书屋"},
	{"osmanthus-wine", "Osmanthus Wine", "桂花酒坊"},
	{"golden-thread", "Golden Thread", "金线记"},
	{"sparrow-toys", "Sparrow Toys", "麻雀玩具"},
	{"field-mouse-seeds", "Field Mouse Seeds", "田鼠种子铺"},
	{"long-river-fish", "Long River Fish", "长河鱼行"},
	{"snow-pear", "Snow Pear", "雪梨膏"},
	{"lantern-wang", "Lantern Wang", "灯笼王"},
	{"copper-bell", "The Copper Bell", "铜铃铛"},
	{"morning-market-tofu", "Morning Market Tofu", "早市豆腐"},
	{"five-spice", "Five Spice", "五香居"},
	{"mulberry-farm", "Mulberry Farm", "桑园"},
	{"wind-kites", "Wind Kites", "风筝魏"},
	{"slow-clock", "The Slow Clock", "慢钟表"},
	{"east-wall-bikes", "East Wall Bikes", "东墙单车"},
	{"night-sea-lamps", "Night Sea Lamps", "夜海灯饰"},
	{"fern-and-moss", "Fern and Moss", "蕨与苔"},
	{"paper-cut-chen", "Paper-cut Chen", "剪纸陈"},
	{"shadow-puppets", "Shadow Puppets", "皮影戏"},
	{"half-acre-peaches", "Half-acre Peaches", "半亩桃园"},
	{"sesame-oil-mill", "The Sesame Oil Mill", "芝麻油坊"},
	{"carved-seals", "Carved Seals", "篆刻社"},
	{"wool-of-the-steppe", "Wool of the Steppe", "草原羊毛"},
	{"walnut-brothers", "Walnut Brothers", "核桃兄弟"},
	{"lily-root", "Lily Root", "百合藕"},
	{"river-clay-cups", "River Clay Cups", "河泥杯"},
	{"winter-plum-soap", "Winter Plum Soap", "冬梅皂"},
}

var wares = []struct {
	name, nameZH string
	price        int64 // fen, the middle of what is asked
}{
	{"a pot of spring tea", "春茶一罐", 16800},
	{"a clay teapot", "紫砂壶", 45800},
	{"an ink stick", "墨锭", 8800},
	{"a silk scarf", "丝巾", 26900},
	{"a box of cakes", "糕点一盒", 5900},
	{"a jar of honey", "蜂蜜一瓶", 6800},
	{"ten pounds of rice", "大米十斤", 7200},
	{"an oil-paper umbrella", "油纸伞", 12800},
	{"a lacquer box", "漆盒", 33800},
	{"a book of poems", "诗集", 4500},
	{"a paper lantern", "纸灯笼", 3900},
	{"a kite", "风筝", 5200},
	{"a bicycle bell", "车铃", 2600},
	{"a reading lamp", "台灯", 18900},
	{"a wooden clock", "木钟", 129000},
	{"a carved seal", "印章", 22000},
	{"a wool blanket", "羊毛毯", 39900},
	{"a bag of walnuts", "核桃一袋", 4800},
	{"a bar of soap", "手工皂", 1900},
	{"a set of cups", "杯子一套", 9900},
}
