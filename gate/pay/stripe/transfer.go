package stripe

import (
	"context"
	"regexp"
	"strings"

	sdk "github.com/stripe/stripe-go/v84"

	"github.com/moongate-hub/moongate/gate/pay"
)

// Operations of transfers, as a [pay.Failure] names them.
const (
	opAdmit        = "admit receiver"
	opSplit        = "split"
	opQuerySplit   = "query split"
	opUnsplit      = "unsplit"
	opQueryUnsplit = "query unsplit"
)

var account = regexp.MustCompile(`^acct_[0-9A-Za-z]{8,40}$`)

// Admit implements [pay.Splitter]: a connected account can be paid once its transfers are active.
func (w *Wallet) Admit(ctx context.Context, r pay.Receiver) error {
	if !account.MatchString(r.Account) {
		return local(opAdmit, "account %.60q is not one of Stripe's", r.Account)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	a, err := w.client.V1Accounts.GetByID(ctx, r.Account, &sdk.AccountRetrieveParams{})
	if err != nil {
		return failed(opAdmit, err)
	}
	if a.Capabilities == nil || a.Capabilities.Transfers != sdk.AccountCapabilityStatusActive {
		return local(opAdmit, "account %s cannot be paid yet: its holder has to finish its sign-up at Stripe", r.Account)
	}
	return nil
}

// Split implements [pay.Splitter] with POST /v1/transfers out of the order's charge, one part at a time. As keys are forgotten,
// Stripe is asked first whether it has done it before.
func (w *Wallet) Split(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	if err := checkSplit(opSplit, &s); err != nil {
		return pay.SplitOutcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	find := func() (*sdk.Transfer, error) { return w.transferred(ctx, &s) }
	t, err := once(w, opSplit, "moongate/split/"+s.No, find, func(key string) (*sdk.Transfer, error) { return w.transfer(ctx, &s, key) })
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	return splitOutcome(opSplit, &s, t)
}

// transfer asks for a split's transfer under a key.
func (w *Wallet) transfer(ctx context.Context, s *pay.SplitOrder, key string) (*sdk.Transfer, error) {
	p, err := w.client.V1PaymentIntents.Retrieve(ctx, s.OrderRef, &sdk.PaymentIntentRetrieveParams{})
	if err != nil {
		f := failed(opSplit, err)
		if pay.VerdictOf(f) == pay.Unknown {
			return nil, pay.Fail(opSplit, pay.NotDone, "Stripe did not say which charge the order is", err)
		}
		return nil, f
	}
	if p.LatestCharge == nil {
		return nil, local(opSplit, "order %s has no charge", s.OrderNo)
	}
	params := &sdk.TransferCreateParams{
		Amount: sdk.Int64(s.Parts[0].Amount), Currency: sdk.String(strings.ToLower(s.Currency.String())), Destination: sdk.String(s.Parts[0].Account),
		SourceTransaction: sdk.String(p.LatestCharge.ID), TransferGroup: sdk.String(s.OrderNo), Metadata: map[string]string{metaSplit: s.No, metaOrder: s.OrderNo}, Description: sdk.String(s.Parts[0].Note),
	}
	params.IdempotencyKey = sdk.String(key)
	return w.client.V1Transfers.Create(ctx, params)
}

func checkSplit(op string, s *pay.SplitOrder) error {
	switch {
	case s.No == "" || len(s.No) > 64 || s.OrderRef == "":
		return local(op, "split %.70q of order %.40q without Stripe's number", s.No, s.OrderNo)
	case len(s.Parts) != 1 || s.Finish:
		return local(op, "%d parts: one transfer has one", len(s.Parts))
	case !account.MatchString(s.Parts[0].Account) || s.Parts[0].Amount < 1:
		return local(op, "part for %.60q", s.Parts[0].Account)
	}
	return nil
}

// QuerySplit implements [pay.Splitter]: it looks through the transfers of the order.
func (w *Wallet) QuerySplit(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	if err := checkSplit(opQuerySplit, &s); err != nil {
		return pay.SplitOutcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	found, err := w.transferred(ctx, &s)
	switch {
	case err != nil:
		return pay.SplitOutcome{}, failed(opQuerySplit, err)
	case found == nil:
		return pay.SplitOutcome{No: s.No, State: pay.SplitAbsent, Said: "not in the list"}, nil
	}
	return splitOutcome(opQuerySplit, &s, found)
}

// transferred looks for a split's transfer among those of its order.
func (w *Wallet) transferred(ctx context.Context, s *pay.SplitOrder) (*sdk.Transfer, error) {
	params := &sdk.TransferListParams{Destination: sdk.String(s.Parts[0].Account), TransferGroup: sdk.String(s.OrderNo)}
	params.Limit = sdk.Int64(100)
	for t, err := range w.client.V1Transfers.List(ctx, params) {
		if err != nil {
			return nil, err
		}
		if t.Metadata[metaSplit] == s.No {
			return t, nil
		}
	}
	return nil, nil
}

func splitOutcome(op string, s *pay.SplitOrder, t *sdk.Transfer) (pay.SplitOutcome, error) {
	if t.ID == "" || len(t.ID) > 64 || t.Metadata[metaSplit] != s.No || t.Amount != s.Parts[0].Amount {
		return pay.SplitOutcome{}, pay.Fail(op, pay.Unknown, "Stripe's statement is about another transfer", nil)
	}
	part := pay.SplitPartOutcome{Account: s.Parts[0].Account, Amount: t.Amount, State: pay.SplitDone}
	if t.Reversed {
		part.State, part.Said = pay.SplitClosed, "reversed"
	}
	return pay.SplitOutcome{No: s.No, OrderRef: s.OrderRef, State: pay.SplitDone, WalletRef: t.ID, Parts: []pay.SplitPartOutcome{part}, Said: "transferred"}, nil
}

// Unsplit implements [pay.Splitter] with a reversal of the transfer.
func (w *Wallet) Unsplit(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	if u.SplitRef == "" || u.No == "" || u.Amount.Minor < 1 {
		return pay.SplitOutcome{}, local(opUnsplit, "return %.70q of split %.70q", u.No, u.SplitNo)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	params := &sdk.TransferReversalCreateParams{ID: sdk.String(u.SplitRef), Amount: sdk.Int64(u.Amount.Minor), Metadata: map[string]string{metaSplit: u.No}}
	find := func() (*sdk.TransferReversal, error) { return w.reversed(ctx, &u) }
	r, err := once(w, opUnsplit, "moongate/unsplit/"+u.No, find, func(key string) (*sdk.TransferReversal, error) {
		params.IdempotencyKey = sdk.String(key)
		return w.client.V1TransferReversals.Create(ctx, params)
	})
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	return reversal(opUnsplit, &u, r)
}

// QueryUnsplit implements [pay.Splitter].
func (w *Wallet) QueryUnsplit(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	if u.SplitRef == "" || u.No == "" {
		return pay.SplitOutcome{}, local(opQueryUnsplit, "return %.70q of split %.70q", u.No, u.SplitNo)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	found, err := w.reversed(ctx, &u)
	switch {
	case err != nil:
		return pay.SplitOutcome{}, failed(opQueryUnsplit, err)
	case found == nil:
		return pay.SplitOutcome{No: u.No, State: pay.SplitAbsent, Said: "not in the list"}, nil
	}
	return reversal(opQueryUnsplit, &u, found)
}

// reversed looks for a reversal among those of its transfer.
func (w *Wallet) reversed(ctx context.Context, u *pay.UnsplitOrder) (*sdk.TransferReversal, error) {
	params := &sdk.TransferReversalListParams{ID: sdk.String(u.SplitRef)}
	params.Limit = sdk.Int64(100)
	for r, err := range w.client.V1TransferReversals.List(ctx, params) {
		if err != nil {
			return nil, err
		}
		if r.Metadata[metaSplit] == u.No {
			return r, nil
		}
	}
	return nil, nil
}

func reversal(op string, u *pay.UnsplitOrder, r *sdk.TransferReversal) (pay.SplitOutcome, error) {
	if r.ID == "" || r.Metadata[metaSplit] != u.No || r.Amount != u.Amount.Minor {
		return pay.SplitOutcome{}, pay.Fail(op, pay.Unknown, "Stripe's statement is about another reversal", nil)
	}
	part := pay.SplitPartOutcome{Account: u.Account, Amount: r.Amount, State: pay.SplitDone}
	return pay.SplitOutcome{No: u.No, OrderRef: u.OrderRef, State: pay.SplitDone, WalletRef: r.ID, Parts: []pay.SplitPartOutcome{part}, Said: "reversed"}, nil
}
