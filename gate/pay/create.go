package pay

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// create asks for a payment. It plans the crossing that the payment would end in, and drops the plan: what the terms
// would refuse then is refused now, before anybody pays.
func (s *State) create(step *replica.Step, c *Create) (PaymentAnswer, error) {
	if err := c.check(step.At); err != nil {
		return PaymentAnswer{}, err
	}
	if step.Caller != c.From && step.Caller != c.To {
		return PaymentAnswer{}, &moongate.Error{Code: moongate.Forbidden, Field: "from", Message: fmt.Sprintf("%q is neither side of the payment", step.Caller), Hint: "ask for payments in your own name"}
	}
	if p, ok := s.ByOrder(step.Caller, c.Order); ok {
		return s.repeat(&p, c)
	}
	if s.payments.Len() >= s.limits.Payments {
		return PaymentAnswer{}, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("%d payments are kept, the most there may be", s.payments.Len()), Hint: "try again later"}
	}
	for i, w := range c.Wallets {
		if p, ok := s.parties.Lookup(w); !ok || p.Kind != party.Wallet {
			return PaymentAnswer{}, noWallet(w, fmt.Sprintf("wallets/%d", i))
		}
	}
	expires := c.Expires
	if expires == 0 {
		expires = step.At + usualLife
	}
	p := Payment{
		Purchase: Purchase{
			Of: Of{step.Caller, step.NewID(moongate.KindPayment)}, Order: c.Order, From: c.From, To: c.To, Agreement: c.Agreement, Class: c.Class,
			Amount: c.Amount, Payees: c.Payees, Title: c.Title, Wallets: c.Wallets, ReturnURL: c.ReturnURL, Expires: expires, Suspend: c.Suspend,
			Choose: c.Choose, Capture: c.Capture,
		},
		Touches: c.Touches, Subject: c.Subject, Payers: c.Payers,
	}
	var err error
	if p.Wallets, p.Unfit, err = s.rehearse(step, &p, c.Able); err != nil {
		if c.Suspend == "" && moongate.CodeOf(err) != moongate.Malformed {
			err = cmp.Or(s.crossings.Unseen(c.Agreement, step.Caller), err)
		}
		return PaymentAnswer{}, err
	}
	if s.crossings.Unseen(c.Agreement, step.Caller) != nil { // what the terms say is not its to read
		p.Unfit = slices.DeleteFunc(p.Unfit, func(u Unfit) bool { return u.Why == UnfitTerms })
	}
	step.Emit(&Created{Purchase: p.Purchase, Journey: Journey{Touches: p.Touches, Subject: p.Subject, Payers: p.Payers}})
	return p.answer(Open), nil
}

func (p *Payment) answer(status Status) PaymentAnswer {
	return PaymentAnswer{p.Payment, status, p.Expires, p.Unfit}
}

// repeat answers an order that is known: the same again is the same payment, anything else a conflict.
func (s *State) repeat(p *Payment, c *Create) (PaymentAnswer, error) {
	if p.asked() != c.Amount || p.From != c.From || p.To != c.To || p.Agreement != c.Agreement || p.Class != c.Class {
		return PaymentAnswer{}, &moongate.Error{
			Code: moongate.Conflict, Field: "order", Message: fmt.Sprintf("order %.64q stands for a payment of %s already", c.Order, p.asked()),
			Hint: "use another order number for another purchase",
		}
	}
	return p.answer(p.Status), nil
}

// passage is the crossing that a payment ends in: an exception, while nobody knows whose the money is.
func (p *Payment) passage(wallet string) crossing.Passage {
	if p.Suspend != "" {
		return crossing.Passage{
			Kind: crossing.Exception, From: p.From, To: p.To, Currency: p.Amount.Currency, Amount: p.Amount.Minor, Wallet: wallet, Subject: p.Subject,
		}
	}
	return p.division(wallet, p.Payees)
}

// division is the crossing that divides a payment among payees.
func (p *Payment) division(wallet string, payees []crossing.Payee) crossing.Passage {
	return crossing.Passage{
		Kind: crossing.Payment, Agreement: p.Agreement, From: p.From, To: p.To, Class: p.Class, Currency: p.Amount.Currency, Amount: p.Amount.Minor,
		Payees: slices.Clone(payees), Wallet: wallet, Touches: p.Touches, Subject: p.Subject,
	}
}

func (s *State) walletFor(handle, field string) error {
	w, err := s.parties.Active(handle)
	if err != nil {
		return err
	}
	if w.Kind != party.Wallet {
		return noWallet(handle, field)
	}
	return nil
}

func noWallet(handle, field string) error {
	return &moongate.Error{Code: moongate.Refused, Field: field, Message: fmt.Sprintf("%.60q is no wallet of this hub", handle), Hint: "name one that is"}
}

func (c *Create) check(now moongate.Time) error {
	switch {
	case !reference(c.Order):
		return malformed("order", fmt.Sprintf("%.80q is no order number", c.Order), "1 to 64 printable characters without blanks at the ends")
	case c.From == "" || c.To == "":
		return malformed("from", "one side of the payment is missing", "name the participants that it leads from and to")
	case c.Agreement.Kind() != moongate.KindAgreement:
		return malformed("agreement", fmt.Sprintf("%q is no agreement", c.Agreement), "name the agreement under which it is paid")
	case c.Amount.Minor < 1 || c.Amount.Minor > maxMinor:
		return malformed("amount", fmt.Sprintf("%s cannot be paid", c.Amount), "an amount is above zero and below ten billion")
	case c.Amount.Check() != nil:
		return c.Amount.Check()
	case !utf8.ValidString(c.Title) || c.Title == "" || utf8.RuneCountInString(c.Title) > 127:
		return malformed("title", fmt.Sprintf("it has %d characters", utf8.RuneCountInString(c.Title)), "say in 1 to 127 what the shopper pays for")
	case strings.ContainsFunc(c.Title, unicode.IsControl):
		return malformed("title", fmt.Sprintf("%.80q holds control characters", c.Title), "write one line of text")
	case len(c.Wallets) == 0 || len(c.Wallets) > maxWallets || repeated(c.Wallets):
		return malformed("wallets", fmt.Sprintf("%d wallets", len(c.Wallets)), fmt.Sprintf("offer between 1 and %d, each once", maxWallets))
	case !utf8.ValidString(c.Suspend) || utf8.RuneCountInString(c.Suspend) > 200:
		return malformed("suspend", fmt.Sprintf("it has %d characters", utf8.RuneCountInString(c.Suspend)), "say in at most 200 why the money must wait")
	case len(c.Class) > 128 || len(c.Subject) > 128 || len(c.From) > 128 || len(c.To) > 128:
		return malformed("class", "class, subject or a side is longer than 128 bytes", "shorten it")
	case c.Suspend != "" && len(c.Payees) > 0:
		return malformed("payees", "whose the money is cannot be said and left open at once", "leave the payees out, or suspend")
	case c.Choose != "" && c.Choose != ByShopper && c.Choose != ByHub:
		return malformed("choose", fmt.Sprintf("%.20q is neither shopper nor hub", c.Choose), "leave it out for the shopper")
	case c.Capture != "" && c.Capture != Automatic && c.Capture != Manual:
		return malformed("capture", fmt.Sprintf("%.20q is neither automatic nor manual", c.Capture), "leave it out to have money taken when the shopper pays")
	case c.Capture == Manual && c.Suspend != "":
		return malformed("capture", "what must wait cannot be reserved", "leave one of both out")
	case c.Expires != 0 && (c.Expires < now+minLife || c.Expires > now+maxLife):
		return malformed("expires", fmt.Sprintf("%s is not between two minutes and a day from now", c.Expires), "leave it out for half an hour")
	}
	if err := checkSealed(c.Payers, c.Wallets); err != nil {
		return err
	}
	return checkReturn(c.ReturnURL)
}

func repeated(list []string) bool {
	for i, one := range list {
		if slices.Contains(list[:i], one) {
			return true
		}
	}
	return false
}

// reference tells whether text can be somebody's own number for something.
func reference(s string) bool {
	if s == "" || len(s) > 64 || !utf8.ValidString(s) || s[0] == ' ' || s[len(s)-1] == ' ' {
		return false
	}
	return !strings.ContainsFunc(s, unicode.IsControl)
}

// checkReturn accepts an absolute web address: the cashier links to it.
func checkReturn(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) || len(s) > 512 {
		return malformed("return_url", fmt.Sprintf("%.80q is no address to come back to", s), "an absolute https address of at most 512 bytes")
	}
	return nil
}

// loopback tells whether a host is this machine: a shop that is tried out.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// asked is what the payment was asked for.
func (p *Payment) asked() money.Amount {
	if p.Asked != 0 {
		return money.Of(p.Asked, p.Amount.Currency)
	}
	return p.Amount
}

func (p *Payment) stands() Status {
	if (p.Status == Open || p.Status == StatusAuthorised) && p.Cancel {
		return Cancelled
	}
	return p.Status
}

// mine finds a payment for its merchant, for an operator, or for the hub itself on the shopper's behalf.
func (s *State) mine(step *replica.Step, id moongate.ID) (Payment, error) {
	p, ok := s.payments.Get(id)
	if !ok || (step.Caller != "" && step.Caller != p.Merchant && !s.parties.IsOperator(step.Caller)) {
		return Payment{}, noSuch(id)
	}
	return p, nil
}

// cancel gives a payment up.
func (s *State) cancel(step *replica.Step, c *Cancel) (PaymentAnswer, error) {
	p, err := s.mine(step, c.Payment)
	if err != nil {
		return PaymentAnswer{}, err
	}
	answer := PaymentAnswer{p.Payment, p.stands(), p.Expires, nil}
	switch {
	case p.stands() == Cancelled || p.Status == Expired:
		return answer, nil
	case p.Status != Open && p.Status != StatusAuthorised:
		return PaymentAnswer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the payment is %s", p.Status), Hint: "refund it instead"}
	}
	a, ok := s.attempts.Get(p.Attempt)
	if ok && a.Status == AttemptCapturing {
		return PaymentAnswer{}, &moongate.Error{Code: moongate.Conflict, Message: "the money is just being taken", Hint: "refund it when it is"}
	}
	if ok && a.Status.Live() {
		s.emitClose(step, &p, p.Attempt, &a, WhyCancelled, "", "")
		return PaymentAnswer{p.Payment, Cancelled, p.Expires, nil}, nil
	}
	step.Emit(&Settled{Settlement: Settlement{Of: p.Of, Status: Cancelled}, Division: Division{Chain: Chain{Before: p.Head}}})
	return PaymentAnswer{p.Payment, Cancelled, p.Expires, nil}, nil
}

// comeBack has the wallet asked at once: the shopper says that he was there, which proves nothing.
func (s *State) comeBack(step *replica.Step, c *Return) (Done, error) {
	p, err := s.mine(step, c.Payment)
	if err != nil {
		return Done{}, err
	}
	a, ok := s.attempts.Get(p.Attempt)
	if ok && a.Worth(step.At) {
		s.emitQuery(step, &p, p.Attempt, &a)
	}
	return Done{}, nil
}

func malformed(field, message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
}
