// Drives the sandbox with the official SDK for Java (wechatpay-java), unchanged, as a merchant would: once with platform
// certificates that the SDK downloads, once with the wallet's public key. What the sandbox is stands in the arguments; the
// first check that does not hold ends it.

import com.sun.net.httpserver.HttpServer;
import com.wechat.pay.java.core.Config;
import com.wechat.pay.java.core.RSAAutoCertificateConfig;
import com.wechat.pay.java.core.RSAPublicKeyConfig;
import com.wechat.pay.java.core.exception.ServiceException;
import com.wechat.pay.java.core.exception.ValidationException;
import com.wechat.pay.java.core.http.DefaultHttpClientBuilder;
import com.wechat.pay.java.core.http.HttpClient;
import com.wechat.pay.java.core.notification.NotificationConfig;
import com.wechat.pay.java.core.notification.NotificationParser;
import com.wechat.pay.java.core.notification.RequestParam;
import com.wechat.pay.java.service.billdownload.BillDownloadService;
import com.wechat.pay.java.service.billdownload.DigestBillEntity;
import com.wechat.pay.java.service.billdownload.model.BillType;
import com.wechat.pay.java.service.billdownload.model.GetTradeBillRequest;
import com.wechat.pay.java.service.payments.model.Transaction;
import com.wechat.pay.java.service.payments.nativepay.NativePayService;
import com.wechat.pay.java.service.payments.nativepay.model.Amount;
import com.wechat.pay.java.service.payments.nativepay.model.CloseOrderRequest;
import com.wechat.pay.java.service.payments.nativepay.model.PrepayRequest;
import com.wechat.pay.java.service.payments.nativepay.model.QueryOrderByIdRequest;
import com.wechat.pay.java.service.payments.nativepay.model.QueryOrderByOutTradeNoRequest;
import com.wechat.pay.java.service.refund.RefundService;
import com.wechat.pay.java.service.refund.model.AmountReq;
import com.wechat.pay.java.service.refund.model.CreateRequest;
import com.wechat.pay.java.service.refund.model.QueryByOutRefundNoRequest;
import com.wechat.pay.java.service.refund.model.Refund;
import com.wechat.pay.java.service.refund.model.RefundNotification;
import com.wechat.pay.java.service.refund.model.Status;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;

public class Official {
  static String base, mchid, appid, serial, key, apiv3, publicKey, publicKeyID, day, billed;

  record Told(String serial, String timestamp, String nonce, String signature, String body) {}

  static final BlockingQueue<Told> told = new LinkedBlockingQueue<>();

  public static void main(String[] args) throws Exception {
    base = args[0];
    mchid = args[1];
    appid = args[2];
    serial = args[3];
    key = args[4];
    apiv3 = args[5];
    publicKey = args[6];
    publicKeyID = args[7];
    day = args[8];
    billed = args[9];

    HttpServer shop = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    shop.createContext("/notify", exchange -> {
      var h = exchange.getRequestHeaders();
      String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
      told.add(new Told(h.getFirst("Wechatpay-Serial"), h.getFirst("Wechatpay-Timestamp"), h.getFirst("Wechatpay-Nonce"), h.getFirst("Wechatpay-Signature"), body));
      exchange.sendResponseHeaders(204, -1);
      exchange.close();
    });
    shop.start();
    String notify = "http://127.0.0.1:" + shop.getAddress().getPort() + "/notify";
    try {
      // The host stands fast in the SDK; sending its requests elsewhere is all that a foreign program has to change.
      OkHttpClient redirected = new OkHttpClient.Builder().addInterceptor(chain -> {
        HttpUrl to = HttpUrl.get(base);
        HttpUrl url = chain.request().url().newBuilder().scheme(to.scheme()).host(to.host()).port(to.port()).build();
        return chain.proceed(chain.request().newBuilder().url(url).build());
      }).build();
      RSAAutoCertificateConfig downloaded = new RSAAutoCertificateConfig.Builder().merchantId(mchid).privateKeyFromPath(key)
          .merchantSerialNumber(serial).apiV3Key(apiv3).httpClientBuilder(new DefaultHttpClientBuilder().okHttpClient(redirected)).build();
      drive("JC", downloaded, downloaded, redirected, notify);
      if (!publicKeyID.isEmpty()) {
        RSAPublicKeyConfig fixed = new RSAPublicKeyConfig.Builder().merchantId(mchid).privateKeyFromPath(key).merchantSerialNumber(serial)
            .apiV3Key(apiv3).publicKeyFromPath(publicKey).publicKeyId(publicKeyID).build();
        drive("JP", fixed, fixed, redirected, notify);
      }
    } finally {
      shop.stop(0);
    }
    System.exit(0); // the SDK's own threads would go on
  }

  static void drive(String prefix, Config config, NotificationConfig notices, OkHttpClient redirected, String notify) throws Exception {
    HttpClient http = new DefaultHttpClientBuilder().config(config).okHttpClient(redirected).build();
    NativePayService service = new NativePayService.Builder().config(config).httpClient(http).build();
    RefundService refunds = new RefundService.Builder().config(config).httpClient(http).build();
    BillDownloadService bills = new BillDownloadService.Builder().config(config).httpClient(http).build();
    NotificationParser parser = new NotificationParser(notices);
    String no = prefix + "-000001", closed = prefix + "-000002";

    refused("ORDER_NOT_EXIST", () -> query(service, no));
    String code = service.prepay(order(no, 1999, notify)).getCodeUrl();
    check(code.startsWith(base), "code_url " + code);
    check(query(service, no).getTradeState() == Transaction.TradeStateEnum.NOTPAY, "an order nobody has paid");

    control("approve", "{\"mchid\":\"" + mchid + "\",\"out_trade_no\":\"" + no + "\"}");
    Transaction paid = parser.parse(param(hear()), Transaction.class);
    while (!no.equals(paid.getOutTradeNo()) || paid.getTradeState() == null) { // of the round before, once more
      paid = parser.parse(param(hear()), Transaction.class);
    }
    check(paid.getTradeState() == Transaction.TradeStateEnum.SUCCESS && paid.getAmount().getTotal() == 1999 && paid.getOutTradeNo().equals(no)
        && paid.getAttach().equals(attach(no)), "notified of " + paid);
    check(query(service, no).getTransactionId().equals(paid.getTransactionId()), "the order as it was asked for");
    QueryOrderByIdRequest byID = new QueryOrderByIdRequest();
    byID.setMchid(mchid);
    byID.setTransactionId(paid.getTransactionId());
    check(service.queryOrderById(byID).getOutTradeNo().equals(no), "the order by the wallet's number");

    service.prepay(order(closed, 5, notify));
    CloseOrderRequest close = new CloseOrderRequest();
    close.setMchid(mchid);
    close.setOutTradeNo(closed);
    service.closeOrder(close); // 204, and signed
    check(query(service, closed).getTradeState() == Transaction.TradeStateEnum.CLOSED, "a closed order");

    CreateRequest back = new CreateRequest();
    back.setOutTradeNo(no);
    back.setOutRefundNo(no + "-R");
    back.setReason("a broken lid");
    back.setNotifyUrl(notify);
    AmountReq amount = new AmountReq();
    amount.setRefund(999L);
    amount.setTotal(1999L);
    amount.setCurrency("CNY");
    back.setAmount(amount);
    Refund asked = refunds.create(back);
    check(asked.getStatus() == Status.PROCESSING || asked.getStatus() == Status.SUCCESS, "the refund is " + asked.getStatus());
    RefundNotification returned = parser.parse(param(hear()), RefundNotification.class);
    while (returned.getOutRefundNo() == null) { // the payment, once more: a slow shop has acknowledged it too late
      returned = parser.parse(param(hear()), RefundNotification.class);
    }
    check(returned.getOutRefundNo().equals(no + "-R") && returned.getRefundStatus() == Status.SUCCESS && returned.getAmount().getRefund() == 999, "notified of " + returned);
    QueryByOutRefundNoRequest which = new QueryByOutRefundNoRequest();
    which.setOutRefundNo(no + "-R");
    check(refunds.queryByOutRefundNo(which).getStatus() == Status.SUCCESS, "the refund as it was asked for");
    which.setOutRefundNo(no + "-S");
    refused("RESOURCE_NOT_EXISTS", () -> refunds.queryByOutRefundNo(which));

    // Each delivery is signed anew; one that was altered on its way is refused, and a probe is too.
    service.prepay(order(prefix + "-000003", 7, notify));
    control("faults", "{\"kind\":\"probe\",\"op\":\"notify\",\"no\":\"" + prefix + "-000003\"}");
    control("approve", "{\"mchid\":\"" + mchid + "\",\"out_trade_no\":\"" + prefix + "-000003\"}");
    Told probe = hear();
    try {
      parser.parse(param(probe), Transaction.class);
      throw new AssertionError("a signature that is wrong on purpose is taken");
    } catch (ValidationException e) {
      // as it should be
    }

    GetTradeBillRequest of = new GetTradeBillRequest();
    of.setBillDate(day);
    of.setBillType(BillType.ALL);
    var applied = bills.getTradeBill(of);
    DigestBillEntity file = new DigestBillEntity(http.download(applied.getDownloadUrl()), applied.getHashValue(), applied.getHashType());
    String text = new String(file.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    check(file.verifyHash(), "the bill's hash");
    check(text.contains("`" + billed), "the bill does not list " + billed + ": " + text);
  }

  static PrepayRequest order(String no, int total, String notify) {
    PrepayRequest r = new PrepayRequest();
    r.setAppid(appid);
    r.setMchid(mchid);
    r.setDescription("A teapot 茶壶");
    r.setOutTradeNo(no);
    r.setAttach(attach(no));
    r.setNotifyUrl(notify);
    Amount a = new Amount();
    a.setTotal(total);
    a.setCurrency("CNY");
    r.setAmount(a);
    return r;
  }

  static String attach(String no) {
    return "茶壶 \"cup\" +5% " + no;
  }

  static Transaction query(NativePayService service, String no) {
    QueryOrderByOutTradeNoRequest q = new QueryOrderByOutTradeNoRequest();
    q.setMchid(mchid);
    q.setOutTradeNo(no);
    return service.queryOrderByOutTradeNo(q);
  }

  static Told hear() throws Exception {
    Told next = told.poll(60, TimeUnit.SECONDS);
    check(next != null, "no notification came");
    return next;
  }

  static RequestParam param(Told t) {
    return new RequestParam.Builder().serialNumber(t.serial()).timestamp(t.timestamp()).nonce(t.nonce()).signature(t.signature()).body(t.body()).build();
  }

  static void control(String what, String body) throws Exception {
    var answer = java.net.http.HttpClient.newHttpClient().send(
        HttpRequest.newBuilder(URI.create(base + "/sandbox/" + what)).header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body)).build(),
        HttpResponse.BodyHandlers.ofString());
    check(answer.statusCode() == 200, what + ": " + answer.body());
  }

  static void refused(String code, Runnable call) {
    try {
      call.run();
    } catch (ServiceException e) {
      check(e.getErrorCode().equals(code), "refused with " + e.getErrorCode() + ", not " + code);
      return;
    }
    throw new AssertionError("not refused with " + code);
  }

  static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }
}
