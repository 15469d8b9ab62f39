package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
)

// ImporterOptions are what an importer stands between.
type ImporterOptions struct {
	State     *State
	Pay       *pay.State
	Crossings *crossing.State
	Read      func(func())         // the machine's
	Now       func() moongate.Time // the state's time, under Read
	Submit    func(context.Context, replica.Request) (any, error)
	Fresh     func(context.Context) (journal.Position, error) // waits until the views know what the state knows now, and says how far that is
	Views     view.DB
	Wallets   map[string]pay.Wallet
	Accounts  map[string]string // the wallets' own numbers of our accounts, where they are known
	Part      int64             // bytes of a bill whose numbers are held in memory at once; 400 MiB where zero
	Dir       string            // for bills while they are read; "" for the system's
}

// Importer takes bills in.
type Importer struct{ opt ImporterOptions }

// NewImporter makes an importer.
func NewImporter(o ImporterOptions) *Importer {
	if o.Part == 0 {
		o.Part = partBytes
	}
	return &Importer{o}
}

// Source is a bill to be taken in. What is zero the bill says itself.
type Source struct {
	Wallet    string // the participant
	Kind      pay.BillKind
	Day       string
	Published string // the hash that the wallet published
	Text      Text
}

// Text is a bill's file, as the wallet made it.
type Text interface {
	io.ReaderAt
	Size() int64
}

// Import reads a bill, holds it against the books, and submits what came of it in the name of a caller. It answers once the
// bill is taken in whole; one that was taken in before changes nothing.
//
// The error is malformed for a bill that is altered or cut short, or of another wallet or day: nothing of it is taken in.
func (i *Importer) Import(ctx context.Context, caller string, src Source) (Answer, error) {
	var answer Answer
	var err error
	for range 3 {
		m := &matching{i: i, parts: 1 + uint64(src.Text.Size()/i.opt.Part)}
		if err = m.whole(ctx, &src); err != nil {
			return Answer{}, err
		}
		answer, err = i.submit(ctx, caller, m, &src)
		if moongate.CodeOf(err) != moongate.Conflict {
			break // a conflict is another importer of the same bill that began anew
		}
	}
	return answer, err
}

// Nothing takes in that a wallet has no bill of a day: what moved by our books is missing there.
func (i *Importer) Nothing(ctx context.Context, caller string, name Name) (Answer, error) {
	name.Hash = ""
	if err := name.check(); err != nil {
		return Answer{}, err
	}
	m := &matching{i: i, name: &name, p: name.period(), parts: 1, sums: map[money.Currency]*Sum{}}
	m.known()
	at, err := i.opt.Fresh(ctx)
	if err != nil {
		return Answer{}, err
	}
	m.figures.Position = at
	if err := errors.Join(m.unnamed(ctx), m.pair()); err != nil {
		return Answer{}, err
	}
	return i.submit(ctx, caller, m, &Source{})
}

// whole reads a bill as often as its parts need, and matches it.
func (m *matching) whole(ctx context.Context, src *Source) error {
	m.sums = map[money.Currency]*Sum{}
	if err := m.begin(src); err != nil {
		return err
	}
	m.known()
	at, err := m.i.opt.Fresh(ctx)
	if err != nil {
		return err
	}
	m.figures.Position = at
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if m.parts == 1 {
		m.countDay(ctx)
	}
	for m.part = 0; m.part < m.parts; m.part++ {
		digest := sha256.New()
		b, err := bill.Open(io.NewSectionReader(src.Text, 0, src.Text.Size()), bill.Options{Hash: src.Published, Digest: digest, Brief: true})
		if err != nil {
			return err
		}
		if err := m.read(ctx, b); err != nil {
			return err
		}
		if err := m.checkAccount(b.Head()); err != nil {
			return err
		}
		m.name.Hash = "sha256:" + hex.EncodeToString(digest.Sum(nil))
		if err := m.unnamed(ctx); err != nil {
			return err
		}
	}
	return m.pair()
}

// begin finds out what bill it is before anything is looked up.
func (m *matching) begin(src *Source) error {
	b, err := bill.Open(io.NewSectionReader(src.Text, 0, src.Text.Size()), bill.Options{Hash: src.Published})
	if err != nil {
		return err
	}
	return m.identify(src, b)
}

// known takes what was paid on the bill's day, as it is known before the views are waited for: so they have all of it.
func (m *matching) known() {
	m.i.opt.Read(func() { m.paid, m.asof = m.i.opt.State.paidOf(m.p), m.i.opt.Now() })
	m.paid.build()
}

// identify finds out what bill it is, by what the caller says and by what the bill does.
func (m *matching) identify(src *Source, b *bill.Bill) error {
	m.head = b.Head()
	n := &Name{Wallet: src.Wallet, Kind: pay.BillKind(m.head.Kind), Day: src.Day, Abroad: m.head.Wallet == "stripe"}
	switch {
	case m.head.Kind == bill.Personal:
		return &moongate.Error{Code: moongate.Refused, Field: "bill", Message: "this is no merchant's bill", Hint: m.head.Advice}
	case m.head.Layout == bill.LayoutSuccess || m.head.Layout == bill.LayoutRefund:
		return &moongate.Error{Code: moongate.Refused, Field: "bill", Message: "this bill lists " + m.head.Layout + " alone, and what is missing in it cannot be told", Hint: "use the bill of type ALL"}
	case src.Kind != "" && src.Kind != n.Kind:
		return malformed("kind", fmt.Sprintf("this is a %s bill, not a %s bill", n.Kind, src.Kind), "say what it is, or leave it out")
	case m.head.From != 0 && m.head.To-m.head.From != moongate.Day:
		return &moongate.Error{Code: moongate.Refused, Field: "bill", Message: fmt.Sprintf("it is of more than a day, from %s to %s", dayOf(m.head.From, n.zone()), dayOf(m.head.To-1, n.zone())), Hint: "bills are reconciled day by day"}
	case m.head.From != 0 && n.Day != "" && dayOf(m.head.From, n.zone()) != n.Day:
		return malformed("day", fmt.Sprintf("it is the bill of %s, not of %s", dayOf(m.head.From, n.zone()), n.Day), "say which day it is of, or leave it out")
	case m.head.From != 0:
		n.Day = dayOf(m.head.From, n.zone())
	case n.Day == "":
		first, err := firstRow(src)
		if err != nil {
			return err
		}
		n.Day = dayOf(first, n.zone())
	}
	if err := n.check(); err != nil {
		return err
	}
	m.name, m.p = n, n.period()
	return nil
}

// firstRow is when the first row of a bill says that it happened: WeChat Pay's bills do not say their day otherwise. All
// other rows must be of about that day.
func firstRow(src *Source) (moongate.Time, error) {
	b, err := bill.Open(io.NewSectionReader(src.Text, 0, src.Text.Size()), bill.Options{})
	if err != nil {
		return 0, err
	}
	var row bill.Row
	if err := b.Next(&row); errors.Is(err, io.EOF) {
		return 0, malformed("day", "the bill has no rows, and does not say which day it is of", "say it")
	} else if err != nil {
		return 0, err
	}
	return row.At, nil
}

// checkAccount sees that the bill is of the account that the hub has at the wallet.
func (m *matching) checkAccount(h bill.Head) error {
	ours := m.i.opt.Accounts[m.name.Wallet]
	if ours == "" || h.Account == "" || strings.HasPrefix(h.Account, ours) { // Alipay adds the number of the sub-account
		return nil
	}
	return &moongate.Error{Code: moongate.Refused, Field: "bill", Message: fmt.Sprintf("it is the bill of account %.40s, and ours at %s is %s", h.Account, m.name.Wallet, ours), Hint: "choose the wallet that it is of"}
}

// submit gives the machine what the bill is and what differs.
func (i *Importer) submit(ctx context.Context, caller string, m *matching, src *Source) (Answer, error) {
	size := int64(0)
	if src.Text != nil {
		size = src.Text.Size()
	}
	answer, err := i.do(ctx, caller, &Begin{Bill: *m.name, Published: src.Published, Bytes: size, Figures: m.total()})
	if err != nil || answer.Done {
		return answer, err
	}
	for from := 0; from < len(m.items); from += maxItems {
		if _, err := i.do(ctx, caller, &Differ{Bill: answer.Bill, Items: m.items[from:min(from+maxItems, len(m.items))]}); err != nil {
			return answer, err
		}
	}
	return i.do(ctx, caller, &Finish{Bill: answer.Bill})
}

func (i *Importer) do(ctx context.Context, caller string, c replica.Command) (Answer, error) {
	a, err := i.opt.Submit(ctx, replica.Request{Caller: caller, Command: c})
	if err != nil {
		return Answer{}, err
	}
	answer, ok := a.(Answer)
	if !ok {
		return Answer{}, fmt.Errorf("reconcile: %s was answered with %T", c.CommandKind(), a)
	}
	return answer, nil
}

// Spool keeps what comes from somewhere in a file of its own while it is read.
func (i *Importer) Spool(fill func(io.Writer) error) (text *Spooled, err error) {
	f, err := os.CreateTemp(i.opt.Dir, "bill-*")
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", err)
	}
	s := &Spooled{File: f}
	if err = fill(f); err == nil {
		s.size, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Spooled is a bill in a file that goes away when it is closed.
type Spooled struct {
	*os.File
	size int64
}

// Size is its length.
func (s *Spooled) Size() int64 { return s.size }

// Close closes the file and deletes it.
func (s *Spooled) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()))
}

// fetchTime bounds one download with all that follows.
const fetchTime = 30 * time.Minute

// Handle carries out that a bill is to be fetched. It takes as long as the bill does, and no queue waits for it but the
// one of the same wallet's bills.
func (i *Importer) Handle(ctx context.Context, e journal.Entry) (replica.Command, error) {
	due, ok := e.Event.(*FetchDue)
	if !ok {
		return nil, fmt.Errorf("reconcile: %s asks for no bill", e.Event.EventKind())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	defer cancel()
	out := &Fetched{Name: due.Name}
	answer, err := i.fetch(ctx, due.Name)
	switch {
	case err == nil:
		out.Result, out.Bill = Got, answer.Bill
	case later(err):
		out.Result, out.Message = Later, err.Error()
	default:
		out.Result, out.Message = Failed, err.Error()
	}
	return out, nil
}

// fetch downloads a bill and takes it in.
func (i *Importer) fetch(ctx context.Context, name Name) (Answer, error) {
	w, ok := i.opt.Wallets[name.Wallet].(pay.Biller)
	if !ok {
		return Answer{}, &moongate.Error{Code: moongate.Refused, Message: fmt.Sprintf("%s has no bills that can be downloaded", name.Wallet), Hint: "download it by hand, and upload it"}
	}
	var file pay.BillFile
	text, err := i.Spool(func(to io.Writer) (err error) {
		file, err = w.Bill(ctx, name.Day, name.Kind, to)
		return err
	})
	if none(err) {
		return i.Nothing(ctx, "", name)
	}
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = text.Close() }() // only read
	return i.Import(ctx, "", Source{Wallet: name.Wallet, Kind: name.Kind, Day: name.Day, Published: file.Hash, Text: text})
}

// noBill lists how wallets say that nothing moved on a day.
var noBill = map[string]bool{"NO_STATEMENT_EXIST": true, "isp.bill_not_exist": true, "BILL_NOT_EXIST": true}

func none(err error) bool {
	var f *pay.Failure
	return errors.As(err, &f) && f.Verdict == pay.Refused && noBill[f.Code]
}

// later tells whether it is worth asking again: the wallet, or this hub, could not do it now.
func later(err error) bool {
	var f *pay.Failure
	if errors.As(err, &f) {
		return f.Verdict != pay.Refused
	}
	switch moongate.CodeOf(err) {
	case moongate.Busy, moongate.Unknown, moongate.Internal, moongate.Conflict:
		return true
	}
	return false
}
