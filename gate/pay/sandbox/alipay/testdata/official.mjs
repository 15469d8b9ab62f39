// Drives the sandbox with the official SDK for Node (alipay-sdk), unchanged, as a merchant would. What the sandbox is stands
// in the first argument, as JSON; the first assertion that does not hold ends it.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { AlipaySdk } from 'alipay-sdk';

const box = JSON.parse(process.argv[2]);

// shop takes notifications in, and answers with the seven letters.
const told = [];
const waiting = [];
const shop = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const form = Object.fromEntries(new URLSearchParams(body));
    const next = waiting.shift();
    if (next) next(form); else told.push(form);
    response.end('success');
  });
});
await new Promise((done) => shop.listen(0, '127.0.0.1', done));
const notifyUrl = `http://127.0.0.1:${shop.address().port}/notify`;
const hear = () => (told.length ? told.shift() : new Promise((done) => waiting.push(done)));

async function control(what, body) {
  const answer = await fetch(`${box.base}/sandbox/${what}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.text());
}

async function drive(sdk, prefix) {
  const no = (n) => `${prefix}${n}`;
  const refused = await sdk.exec('alipay.trade.query', { bizContent: { out_trade_no: no(1) } });
  assert.equal(refused.subCode, 'ACQ.TRADE_NOT_EXIST');

  const code = await sdk.exec('alipay.trade.precreate', {
    notifyUrl, bizContent: { out_trade_no: no(1), total_amount: '19.99', subject: '茶壶 "cup" +5%', passback_params: prefix },
  });
  assert.equal(code.code, '10000');
  assert.match(await (await fetch(code.qrCode)).text(), /19\.99/);
  const open = await sdk.exec('alipay.trade.query', { bizContent: { out_trade_no: no(1) } });
  assert.equal(open.tradeStatus, 'WAIT_BUYER_PAY');
  await control('approve', { app_id: box.appId, out_trade_no: no(1) });
  const paid = await hear();
  assert.ok(sdk.checkNotifySignV2(paid), 'signature of the notification');
  assert.equal(paid.trade_status, 'TRADE_SUCCESS');
  assert.equal(paid.total_amount, '19.99');
  assert.equal(paid.subject, '茶壶 "cup" +5%');
  assert.ok(!sdk.checkNotifySignV2({ ...paid, total_amount: '0.01' }), 'an altered notification passes');

  const address = sdk.pageExecute('alipay.trade.wap.pay', 'GET', {
    notifyUrl, returnUrl: 'https://shop.test/thanks',
    bizContent: { out_trade_no: no(2), total_amount: '5.00', subject: 'A cup', product_code: 'QUICK_WAP_WAY' },
  });
  assert.match(await (await fetch(address)).text(), /5\.00/);
  const closed = await sdk.exec('alipay.trade.close', { bizContent: { out_trade_no: no(2) } });
  assert.equal(closed.outTradeNo, no(2));
  assert.equal((await hear()).trade_status, 'TRADE_CLOSED');

  const form = sdk.pageExecute('alipay.trade.page.pay', 'POST', {
    bizContent: { out_trade_no: no(3), total_amount: '6.00', subject: 'A tray', product_code: 'FAST_INSTANT_TRADE_PAY' },
  });
  const plain = (text) => text.replaceAll('&quot;', '"').replaceAll('&amp;', '&');
  const fields = [...form.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, plain(value)]);
  const posted = await fetch(plain(form.match(/action="([^"]+)"/)[1]), { method: 'POST', body: new URLSearchParams(fields) });
  assert.match(await posted.text(), /6\.00/);

  const order = sdk.sdkExecute('alipay.trade.app.pay', { bizContent: { out_trade_no: no(4), total_amount: '7.00', subject: 'A spoon' } });
  assert.match(await (await fetch(`${box.base}/gateway.do?${order}`)).text(), /7\.00/);

  const back = await sdk.exec('alipay.trade.refund', { bizContent: { out_trade_no: no(1), refund_amount: 9.99, out_request_no: 'R1' } });
  assert.equal(back.fundChange, 'Y');
  assert.equal((await hear()).refund_fee, '9.99');
  const asked = await sdk.exec('alipay.trade.fastpay.refund.query', { bizContent: { out_trade_no: no(1), out_request_no: 'R1' } });
  assert.equal(asked.refundStatus, 'REFUND_SUCCESS');

  const bound = await sdk.exec('alipay.trade.royalty.relation.bind', { bizContent: { out_request_no: 'B1', receiver_list: [{ type: 'userId', account: box.receiver }] } });
  assert.equal(bound.resultCode, 'SUCCESS');
  const split = await sdk.exec('alipay.trade.order.settle', {
    bizContent: { out_request_no: 'S1', trade_no: paid.trade_no, royalty_parameters: [{ trans_in_type: 'userId', trans_in: box.receiver, amount: '1.00' }] },
  });
  const parts = await sdk.exec('alipay.trade.order.settle.query', { bizContent: { settle_no: split.settleNo } });
  assert.equal(parts.royaltyDetailList[0].state, 'SUCCESS');

  const bill = await sdk.exec('alipay.data.dataservice.bill.downloadurl.query', { bizContent: { bill_type: 'trade', bill_date: '2020-01-01' } });
  assert.equal(bill.subCode, 'isp.bill_not_exist');
}

const gateway = `${box.base}/gateway.do`;
await drive(new AlipaySdk({ appId: box.appId, privateKey: box.privateKey, keyType: 'PKCS8', alipayPublicKey: box.alipayPublicKey, gateway }), 'KEY');
await drive(new AlipaySdk({
  appId: box.appId, privateKey: box.privateKey, keyType: 'PKCS8', gateway,
  appCertContent: box.appCert, alipayRootCertContent: box.rootCert, alipayPublicCertContent: box.alipayCert,
}), 'CERT');

await control('faults', { kind: 'probe', op: 'query' });
const sdk = new AlipaySdk({ appId: box.appId, privateKey: box.privateKey, keyType: 'PKCS8', alipayPublicKey: box.alipayPublicKey, gateway });
await assert.rejects(sdk.exec('alipay.trade.query', { bizContent: { out_trade_no: 'KEY1' } }, { validateSign: true }), /验签失败/);
shop.close();
