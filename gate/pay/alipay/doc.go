// Package alipay connects a merchant account at Alipay (支付宝) to the payment gate: QR codes (当面付 precreate), phone and
// desktop pages, app payments, query, close, refund, notifications, splits (商家分账), orders of sub-merchants (直付通) and
// bills. It stands on github.com/smartwalle/alipay for the protocol: parameters, signatures over raw bytes, serials of
// certificates.
//
// The library stamps requests with the wall clock, knows one host, and in production takes any certificate that it is
// told to download. This package gives it a signer that writes the clock of [Config] into what is signed, a transport of
// its own, and keys that were checked against the root certificate of [Config]. The same connector then speaks to Alipay,
// to a sandbox on loopback, and to one in memory under virtual time.
//
// # What is believed
//
// Only what the wallet signed. An answer without a good signature is no answer: the outcome is unknown. An unsigned error
// is believed only where it was turned away at the door (codes 40001, 40002, 40005 and 40006), and only to the effect that
// nothing happened and the same request may be sent again.
//
// # An order that nobody has opened
//
// Alipay knows an order only once its shopper has opened it: before, a query says ACQ.TRADE_NOT_EXIST, also when the code
// is on somebody's screen. So a query takes that for [pay.Awaiting], and the order can come to life until its time is
// over. Only a close, which cannot reach such an order, says [pay.Absent]; should the shopper pay it all the same, the
// gate meets a late payment and gives it back.
package alipay
