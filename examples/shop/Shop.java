// A shop in Java 17 that takes a payment through a Moongate hub: java Shop.java ORDER FEN TITLE
// No libraries: the JDK signs with Ed25519. HUB, MARKET, SELLER, AGREEMENT, KEY and KEYID come from the environment.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.*;
import java.util.regex.*;

public class Shop {
    static final Map<String, String> ENV = System.getenv();
    static final String HUB = ENV.getOrDefault("HUB", "http://127.0.0.1:8600");
    static final HttpClient HTTP = HttpClient.newHttpClient();
    static PrivateKey key;

    public static void main(String[] args) throws Exception {
        String pem = Files.readString(Path.of(ENV.get("KEY"))).replaceAll("-----[^-]+-----|\\s", "");
        key = KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
        String order = args[0];
        String till = ask("POST", "/v1/payments", """
            {"order": "%s", "from": "%s", "to": "%s", "agreement": "%s", "amount": {"minor": %s, "currency": "CNY"}, "title": "%s"}"""
            .formatted(order, ENV.get("MARKET"), ENV.get("SELLER"), ENV.get("AGREEMENT"), args[1], args[2]), "order-" + order);
        System.out.println("pay here: " + field(till, "cashier"));
        String status;
        do {
            Thread.sleep(500);
            status = field(ask("GET", "/v1/payments/" + field(till, "payment"), null, null), "status");
        } while (status.equals("open")); // unknown is open too: the wallet is being asked
        System.out.println("order " + order + ": " + status);
    }

    // Every request is signed (RFC 9421). A change also has a digest of its body and a key that makes it happen once.
    static String ask(String method, String path, String body, String once) throws Exception {
        for (long pause = 200; ; pause = Math.min(2 * pause, 5000)) {
            long now = Instant.now().getEpochSecond();
            var covered = new LinkedHashMap<String, String>();
            covered.put("@method", method);
            covered.put("@authority", URI.create(HUB).getAuthority());
            covered.put("@path", path);
            covered.put("@query", "?");
            var request = HttpRequest.newBuilder(URI.create(HUB + path));
            if (body != null) {
                var digest = MessageDigest.getInstance("SHA-256").digest(body.getBytes(StandardCharsets.UTF_8));
                var headers = new LinkedHashMap<String, String>();
                headers.put("content-digest", "sha-256=:" + base64(digest) + ":");
                headers.put("content-type", "application/json");
                headers.put("idempotency-key", once);
                headers.forEach(request::header);
                covered.putAll(headers);
            }
            String nonce = UUID.randomUUID().toString().replace("-", "");
            String params = "(\"" + String.join("\" \"", covered.keySet()) + "\");created=" + now + ";expires=" + (now + 300)
                + ";nonce=\"" + nonce + "\";keyid=\"" + ENV.get("KEYID") + "\";alg=\"ed25519\";tag=\"moongate-v1\"";
            var base = new StringBuilder();
            covered.forEach((name, value) -> base.append('"').append(name).append("\": ").append(value).append('\n'));
            base.append("\"@signature-params\": ").append(params);
            var signer = Signature.getInstance("Ed25519");
            signer.initSign(key);
            signer.update(base.toString().getBytes(StandardCharsets.UTF_8));
            request.header("signature-input", "moongate=" + params).header("signature", "moongate=:" + base64(signer.sign()) + ":");
            request.method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
            try {
                var answer = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() < 300) return answer.body();
                if (answer.statusCode() < 500) throw new IllegalStateException(field(answer.body(), "code") + ": " + field(answer.body(), "detail"));
            } catch (java.io.IOException e) {
                // the connection broke: it may have been done
            }
            Thread.sleep(pause); // nobody knows whether it was done: the same again, with the same key
        }
    }

    static String base64(byte[] b) { return Base64.getEncoder().encodeToString(b); }

    // The two or three fields that a shop needs; take a JSON library for more.
    static String field(String json, String name) {
        Matcher m = Pattern.compile("\"" + name + "\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return m.find() ? m.group(1) : "";
    }
}
