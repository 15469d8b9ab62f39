package pay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// Gate is the room's outside: it calls the wallets, hears what they tell of their own accord, and shows shoppers the
// cashier. It decides nothing: all that it learns becomes a command.
type Gate struct {
	opt   Options
	homes homes
	// people are locked while a person's first key is on its way into the vault; each stands for a part of all persons.
	people [doors]sync.Mutex
}

// Options of a gate.
type Options struct {
	State   *State
	Read    func(func()) // the machine's
	Submit  func(context.Context, replica.Request) (any, error)
	Wallets map[string]Wallet // by the wallet's handle; one account each
	Now     func() moongate.Time
	URL     string // how wallets and shoppers reach the hub, without a slash at the end
	Secret  []byte // 32 bytes; the addresses of cashier pages derive from it, and the names of persons
	Hub     moongate.Hub
	People  People    // the vault; nil where no persons are kept
	Random  io.Reader // for their keys
	// Held tells whether wallets may only be asked, and not told to do anything: what would change something there then ends
	// as unknown, and is asked about. nil: they may.
	Held func() bool
	// Show writes a cashier page; nil writes plain text.
	Show func(http.ResponseWriter, *http.Request, Page)
	// Client is the shopper's network address; nil takes that of the connection. Behind a proxy it is another one.
	Client func(*http.Request) string
}

// NewGate checks the options.
func NewGate(o Options) (*Gate, error) {
	u, err := url.Parse(o.URL)
	switch {
	case o.State == nil || o.Read == nil || o.Submit == nil || o.Now == nil:
		return nil, malformed("state", "the gate needs a room, a way to read and to submit, and a clock", "give all of them")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.HasSuffix(o.URL, "/"):
		return nil, malformed("url", fmt.Sprintf("%.100q is no address under which the hub is reached", o.URL), "such as https://hub.example.org")
	case len(o.Secret) != 32:
		return nil, malformed("secret", fmt.Sprintf("it has %d bytes", len(o.Secret)), "give 32")
	}
	if o.Client == nil {
		o.Client = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	return &Gate{opt: o, homes: homes{at: map[moongate.ID]string{}}}, nil
}

// Offer fills in the wallets of a payment that names none, those that can take it by currency and amount, and refuses
// one that names a wallet which cannot. The room leaves out what the terms do not allow, and where the sellers cannot be paid
// together: for that it is told what the wallets take.
func (g *Gate) Offer(c *Create) error {
	for i, handle := range c.Wallets {
		w, ok := g.opt.Wallets[handle]
		if !ok {
			return &moongate.Error{Code: moongate.Refused, Field: fmt.Sprintf("wallets/%d", i), Message: fmt.Sprintf("this hub has no account at %.60q", handle), Hint: "leave the wallets out, or name one of " + strings.Join(g.handles(), ", ")}
		}
		if !fits(w.Can(), c) {
			return &moongate.Error{Code: moongate.Refused, Field: fmt.Sprintf("wallets/%d", i), Message: fmt.Sprintf("%s does not take %s", handle, c.Amount), Hint: "choose another wallet or amount"}
		}
	}
	if len(c.Wallets) > 0 {
		c.Able = g.able(c.Wallets)
		return nil
	}
	for _, handle := range g.handles() {
		if fits(g.opt.Wallets[handle].Can(), c) && len(c.Wallets) < maxWallets {
			c.Wallets = append(c.Wallets, handle)
		}
	}
	if len(c.Wallets) == 0 {
		return &moongate.Error{Code: moongate.Refused, Field: "amount", Message: fmt.Sprintf("no wallet of this hub takes %s", c.Amount), Hint: "choose another currency or amount"}
	}
	c.Able = g.able(c.Wallets)
	return nil
}

func fits(can Capabilities, c *Create) bool {
	return (c.Capture != Manual || can.Hold) && slices.Contains(can.Currencies, c.Amount.Currency) && (can.MaxAmount == 0 || c.Amount.Minor <= can.MaxAmount)
}

func (g *Gate) handles() []string {
	all := make([]string, 0, len(g.opt.Wallets))
	for h := range g.opt.Wallets {
		all = append(all, h)
	}
	slices.Sort(all)
	return all
}

// Show has cashier pages drawn by a function, in place of plain text. Call it before the gate serves.
func (g *Gate) Show(draw func(http.ResponseWriter, *http.Request, Page)) { g.opt.Show = draw }

// Paths of the gate. What follows CashierPath is a token, or NotifyPath's last part and a wallet's handle.
const (
	CashierPath = "/pay/"
	NotifyPath  = "/pay/notify/"
)

// Register adds the gate's pages and endpoints.
func (g *Gate) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST "+NotifyPath+"{wallet}", g.Notify)
	mux.HandleFunc(CashierPath+"{token}", g.Cashier)
	mux.HandleFunc("GET "+CashierPath+"{token}/return", g.Return)
}

// Address is a payment's cashier page. Whoever knows it may pay, and see what is paid for.
func (g *Gate) Address(payment moongate.ID) string {
	return g.opt.URL + CashierPath + g.token(payment)
}

// token is the payment's identifier and a MAC of it.
func (g *Gate) token(payment moongate.ID) string {
	m := hmac.New(sha256.New, g.opt.Secret)
	m.Write([]byte("moongate/cashier/v1\x00"))
	m.Write(payment[:])
	return payment.String() + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// open finds the payment of a token.
func (g *Gate) open(token string) (moongate.ID, bool) {
	text, _, _ := strings.Cut(token, ".")
	id, err := moongate.ParseID(text)
	if err != nil || id.Kind() != moongate.KindPayment || !hmac.Equal([]byte(g.token(id)), []byte(token)) {
		return moongate.ID{}, false
	}
	return id, true
}

// homes remembers from where shoppers pay, for wallets that compare it. It is personal, so it is forgotten soon and
// never written down.
type homes struct {
	mu    sync.Mutex
	at    map[moongate.ID]string
	order []moongate.ID
}

const maxHomes = 10_000

func (h *homes) put(payment moongate.ID, address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.at[payment]; !ok {
		if len(h.order) == maxHomes {
			delete(h.at, h.order[0])
			h.order = h.order[1:]
		}
		h.order = append(h.order, payment)
	}
	h.at[payment] = address
}

func (h *homes) get(payment moongate.ID) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a, ok := h.at[payment]; ok {
		return a
	}
	return "127.0.0.1"
}
