// A shop in Node that takes a payment through a Moongate hub: node shop.mjs ORDER FEN TITLE
// No packages: node:crypto signs with Ed25519. HUB, MARKET, SELLER, AGREEMENT and KEY come from the environment.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const { HUB = "http://127.0.0.1:8600", MARKET, SELLER, AGREEMENT, KEY } = process.env;
const [order, fen, title] = process.argv.slice(2);

const key = createPrivateKey(readFileSync(KEY));
const { x } = createPublicKey(key).export({ format: "jwk" });
const keyid = createHash("sha256").update(JSON.stringify({ crv: "Ed25519", kty: "OKP", x })).digest("base64url"); // RFC 7638

// Every request is signed (RFC 9421). A change also has a digest of its body and a key that makes it happen once.
async function ask(method, path, body, once) {
  const now = Math.floor(Date.now() / 1000);
  const covered = [["@method", method], ["@authority", new URL(HUB).host], ["@path", path], ["@query", "?"]];
  const headers = {};
  if (body) {
    headers["content-digest"] = `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
    headers["content-type"] = "application/json";
    headers["idempotency-key"] = once;
    covered.push(...Object.entries(headers));
  }
  const params = `(${covered.map(([name]) => `"${name}"`).join(" ")});created=${now};expires=${now + 300}` +
    `;nonce="${randomBytes(16).toString("hex")}";keyid="${keyid}";alg="ed25519";tag="moongate-v1"`;
  const base = [...covered.map(([name, value]) => `"${name}": ${value}`), `"@signature-params": ${params}`].join("\n");
  headers["signature-input"] = `moongate=${params}`;
  headers["signature"] = `moongate=:${sign(null, Buffer.from(base), key).toString("base64")}:`;
  for (let pause = 200; ; pause = Math.min(2 * pause, 5000)) {
    try {
      const answer = await fetch(HUB + path, { method, body, headers });
      const said = await answer.json();
      if (answer.ok) return said;
      if (answer.status < 500) throw Object.assign(new Error(`${said.code}: ${said.detail}`), { final: true });
    } catch (e) {
      if (e.final) throw e;
    }
    // Nobody knows whether it was done: the same again, with the same key. The nonce is new, so sign anew.
    await new Promise((later) => setTimeout(later, pause));
    return ask(method, path, body, once);
  }
}

const till = await ask("POST", "/v1/payments", JSON.stringify({
  order, from: MARKET, to: SELLER, agreement: AGREEMENT, amount: { minor: Number(fen), currency: "CNY" }, title,
}), `order-${order}`);
console.log(`pay here: ${till.cashier}`);

let payment;
do {
  await new Promise((later) => setTimeout(later, 500));
  payment = await ask("GET", `/v1/payments/${till.payment}`);
} while (payment.status === "open"); // unknown is open too: the wallet is being asked
console.log(`order ${order}: ${payment.status}`);
