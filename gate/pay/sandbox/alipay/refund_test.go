package alipay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

func (w *world) refund(no, order, amount string) answered {
	w.t.Helper()
	return w.ask(refunding, object{"out_trade_no": order, "refund_amount": amount, "out_request_no": no})
}

// TestRefundsAddUp refunds in parts until nothing is left; the fee comes back in step and to the fen; the order closes.
func TestRefundsAddUp(t *testing.T) {
	w := newWorld(t, nil)
	w.pay("ORDER1", "19.99") // fee 11.994 fen, charged as 12
	for i, amount := range []string{"0.01", "9.98", "10.00"} {
		no := fmt.Sprintf("R%d", i)
		if q := w.ask(refundQuery, object{"out_trade_no": "ORDER1", "out_request_no": no}); q.code() != "10000" || q.get("refund_status") != "" {
			t.Errorf("%s before it was asked: %s", no, q.body)
		}
		if a := w.refund(no, "ORDER1", amount); a.get("fund_change") != "Y" || a.get("send_back_fee") != amount {
			t.Fatalf("%s: %s", no, a.body)
		}
		if a := w.refund(no, "ORDER1", amount); a.code() != "10000" || a.get("fund_change") != "N" {
			t.Errorf("%s again: %s", no, a.body)
		}
		if q := w.ask(refundQuery, object{"out_trade_no": "ORDER1", "out_request_no": no}); q.get("refund_status") != "REFUND_SUCCESS" || q.get("refund_amount") != amount || q.get("total_amount") != "19.99" || q.get("gmt_refund_pay") == "" {
			t.Errorf("%s: %s", no, q.body)
		}
		w.Advance(time.Minute)
	}
	b := w.wallet.Book(appID)
	var back int64
	for _, r := range b.Refunds {
		back += r.FeeBack
	}
	if len(b.Payments) != 1 || b.Payments[0].Fee != 12 || back != 12 {
		t.Errorf("fee %v, of which %d came back", b.Payments, back)
	}
	if a := w.query("ORDER1"); a.get("trade_status") != "TRADE_CLOSED" {
		t.Errorf("after refunds: %s", a.body)
	}
	if v := w.wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}

// TestRefundWithoutNumber is for the whole order, under the order's own.
func TestRefundWithoutNumber(t *testing.T) {
	w := newWorld(t, nil)
	w.pay("ORDER1", "1.00")
	if a := w.ask(refunding, object{"out_trade_no": "ORDER1", "refund_amount": 1}); a.get("fund_change") != "Y" {
		t.Errorf("%s", a.body)
	}
	if q := w.ask(refundQuery, object{"out_trade_no": "ORDER1", "out_request_no": "ORDER1"}); q.get("refund_status") != "REFUND_SUCCESS" {
		t.Errorf("%s", q.body)
	}
}

// TestRefundIsDoubtful: fund_change N means that a query must tell: of one it tells later, of the other never.
func TestRefundIsDoubtful(t *testing.T) {
	w := newWorld(t, nil)
	w.pay("ORDER1", "1.00")
	status := func() string {
		return w.ask(refundQuery, object{"out_trade_no": "ORDER1", "out_request_no": "R1"}).get("refund_status")
	}
	w.inject(sandbox.Fault{Kind: sandbox.RefundClosed, Op: sandbox.OpRefund})
	if a := w.refund("R1", "ORDER1", "0.10"); a.code() != "10000" || a.get("fund_change") != "N" {
		t.Errorf("%s", a.body)
	}
	w.Advance(time.Hour)
	if s := status(); s != "" {
		t.Errorf("a refund that failed is %s", s)
	}
	w.inject(sandbox.Fault{Kind: sandbox.RefundAbnormal, Op: sandbox.OpRefund})
	if a := w.refund("R1", "ORDER1", "0.10"); a.get("fund_change") != "N" {
		t.Errorf("%s", a.body)
	}
	if s := status(); s != "" {
		t.Errorf("a refund under way is %s", s)
	}
	w.Advance(time.Minute)
	if s := status(); s != "REFUND_SUCCESS" {
		t.Errorf("a refund that went through is %q", s)
	}
}

// TestSplits divides an order, takes a part back with a refund, and keeps books of it all.
func TestSplits(t *testing.T) {
	w := newWorld(t, nil)
	w.bind(other)
	w.orderAs(with(trade("ORDER1", "100.00"), "extend_params", object{"royalty_freeze": "true"}))
	if err := w.wallet.Approve(appID, "ORDER1"); err != nil {
		t.Fatal(err)
	}
	ref := w.query("ORDER1").get("trade_no")
	split := object{"out_request_no": "S1", "trade_no": ref, "royalty_parameters": []object{{"trans_in_type": "userId", "trans_in": other, "amount": 30, "desc": "commission"}}}
	first := w.ask(settling, split)
	if again := w.ask(settling, split); first.get("settle_no") == "" || again.get("settle_no") != first.get("settle_no") {
		t.Errorf("%s, then %s", first.body, again.body)
	}
	for _, q := range []object{{"settle_no": first.get("settle_no")}, {"out_request_no": "S1", "trade_no": ref}} {
		a := w.ask(settleQuery, q)
		list, _ := a.fields["royalty_detail_list"].([]any)
		if len(list) != 1 || list[0].(object)["state"] != "SUCCESS" || list[0].(object)["amount"] != "30.00" || list[0].(object)["trans_in"] != other {
			t.Errorf("%v: %s", q, a.body)
		}
	}
	// What was split off is not there to be refunded.
	if a := w.refund("R1", "ORDER1", "100.00"); a.sub() != "ACQ.SELLER_BALANCE_NOT_ENOUGH" {
		t.Errorf("refund of what is gone: %s", a.body)
	}
	w.Advance(time.Minute)
	unsplit := object{"out_trade_no": "ORDER1", "out_request_no": "U1", "refund_amount": "0.00", "refund_royalty_parameters": []object{{"royalty_type": "transfer", "trans_out": other, "amount": "20.00"}}}
	if a := w.ask(refunding, unsplit); a.code() != "10000" {
		t.Errorf("taking back: %s", a.body)
	}
	if q := w.ask(refundQuery, object{"trade_no": ref, "out_request_no": "U1"}); q.get("refund_status") != "REFUND_SUCCESS" || len(q.fields["refund_royaltys"].([]any)) != 1 {
		t.Errorf("taken back: %s", q.body)
	}
	w.Advance(time.Minute)
	if a := w.ask(refunding, with(with(unsplit, "out_request_no", "U2"), "refund_royalty_parameters", []object{{"trans_out": other, "amount": "10.01"}})); a.sub() != "ACQ.ALLOC_AMOUNT_VALIDATE_ERROR" {
		t.Errorf("taking back too much: %s", a.body)
	}
	want := []sandbox.Split{{No: "S1", OutTradeNo: "ORDER1", Account: other, State: "SUCCESS", Amount: 1000}}
	if diff := cmp.Diff(want, w.wallet.Book(appID).Splits); diff != "" {
		t.Errorf("splits (-want +got):\n%s", diff)
	}
	w.inject(sandbox.Fault{Kind: sandbox.SplitClosed, Op: "split"})
	w.ask(settling, object{"out_request_no": "S2", "trade_no": ref, "royalty_parameters": []object{{"trans_in": other, "amount": "1.00"}}})
	a := w.ask(settleQuery, object{"out_request_no": "S2", "trade_no": ref})
	if d := a.fields["royalty_detail_list"].([]any)[0].(object); d["state"] != "FAIL" || d["error_code"] == "" {
		t.Errorf("a split that failed: %s", a.body)
	}
	if diff := cmp.Diff(want, w.wallet.Book(appID).Splits); diff != "" {
		t.Errorf("splits after one that failed (-want +got):\n%s", diff)
	}
	if a := w.ask(settling, object{"out_request_no": "S3", "trade_no": ref, "extend_params": object{"royalty_finish": "true"}}); a.get("settle_no") == "" {
		t.Errorf("releasing: %s", a.body)
	}
}

// TestReceivers lists whom an account may split to, page by page, and forgets one.
func TestReceivers(t *testing.T) {
	w := newWorld(t, nil)
	w.bind(other)
	w.bind("2088000000000556")
	w.ask(binding, object{"out_request_no": "B1", "receiver_list": []object{{"type": "loginName", "account": "zoe@shop.test", "name": "Zoe"}}})
	list := func(page int) answered {
		return w.ask("alipay.trade.royalty.relation.batchquery", object{"out_request_no": "Q1", "page_num": page, "page_size": "2"})
	}
	if a := list(1); a.get("result_code") != "SUCCESS" || a.fields["total_record_num"] != 3.0 || a.fields["total_page_num"] != 2.0 || len(a.fields["receiver_list"].([]any)) != 2 {
		t.Errorf("%s", a.body)
	}
	if a := list(2); len(a.fields["receiver_list"].([]any)) != 1 || a.fields["receiver_list"].([]any)[0].(object)["name"] != "Zoe" {
		t.Errorf("%s", a.body)
	}
	w.ask("alipay.trade.royalty.relation.unbind", object{"out_request_no": "B2", "receiver_list": []object{{"type": "userId", "account": other}}})
	if a := list(1); a.fields["total_record_num"] != 2.0 {
		t.Errorf("%s", a.body)
	}
	if a := list(0); a.sub() != "INVALID_PARAMETER" {
		t.Errorf("page 0: %s", a.body)
	}
}
