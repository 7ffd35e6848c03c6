// Trades with the official client @polymarket/clob-client-v2; reads its task from stdin, prints one JSON report.
import { readFileSync } from "node:fs";
import { AssetType, Chain, ClobClient, OrderType, Side } from "@polymarket/clob-client-v2";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import WebSocket from "ws";

const task = JSON.parse(readFileSync(0, "utf8"));
const { token, signature_type: signatureType, funder: funderAddress } = task;
const account = privateKeyToAccount(task.key);
const wallet = funderAddress ?? account.address;
const signer = createWalletClient({ account, transport: http(task.clob_url) });
const common = { host: task.clob_url, chain: Chain.POLYGON, signer, signatureType, funderAddress };
const report = { wallet };

await fetch(`${task.control_url}/accounts`, {
  method: "POST",
  body: JSON.stringify({
    address: wallet,
    collateral_usd: 1000,
    signature_type: signatureType,
    signer: account.address,
  }),
});

const creds = await new ClobClient(common).createOrDeriveApiKey();
const client = new ClobClient({ ...common, creds });
report.sameCreds = JSON.stringify(await client.deriveApiKey()) === JSON.stringify(creds);
report.keys = (await client.getApiKeys()).apiKeys;
report.key = creds.key;

function stream(channel, subscription) {
  const socket = new WebSocket(`${task.clob_ws_url}/ws/${channel}`);
  const events = [];
  socket.on("message", (data) => {
    const text = data.toString();
    if (text !== "PONG") events.push(...[JSON.parse(text)].flat());
  });
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("open", () => {
      socket.send(JSON.stringify({ type: channel, ...subscription }));
      socket.send("PING");
      socket.once("message", () => resolve({ socket, events }));
    });
  });
}

async function until(condition) {
  for (let turn = 0; turn < 500; turn += 1) {
    const value = await condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never came: ${condition}`);
}

const auth = { apiKey: creds.key, secret: creds.secret, passphrase: creds.passphrase };
const user = await stream("user", { auth });
const market = await stream("market", { assets_ids: [token] });

const limit = (price, size, more = {}, type = OrderType.GTC, postOnly = false) =>
  client.createAndPostOrder({ tokenID: token, price, size, side: Side.BUY, ...more }, undefined, type, postOnly);
const take = (amount, side, price, orderType) =>
  client.createAndPostMarketOrder({ tokenID: token, amount, side, price, orderType }, undefined, orderType);

report.bookHash = (await client.getOrderBook(token)).hash;
report.gtc = await limit(0.3, 10);
report.order = await client.getOrder(report.gtc.orderID);
report.gtd = await limit(0.31, 10, { expiration: Math.floor(Date.now() / 1000) + 600 }, OrderType.GTD);
report.postOnly = await limit(0.32, 10, {}, OrderType.GTC, true);
report.postOnlyCrossing = await limit(0.45, 10, {}, OrderType.GTC, true);
report.open = (await client.getOpenOrders()).map((each) => each.price).sort();
report.fak = await take(8, Side.BUY, 0.4, OrderType.FAK);
report.fokKilled = await take(900, Side.BUY, 0.4, OrderType.FOK);
report.trades = await until(async () => {
  const trades = await client.getTrades();
  return trades.every((each) => each.status === "TRADE_STATUS_CONFIRMED") && trades;
});
report.shares = await client.getBalanceAllowance({ asset_type: AssetType.CONDITIONAL, token_id: token });
report.sold = await take(5, Side.SELL, 0.39, OrderType.FAK);
report.cancelled = await client.cancelOrder({ orderID: report.gtc.orderID });
report.cancelledAll = await client.cancelAll();
report.left = await client.getOpenOrders();
const beat = await client.postHeartbeat();
report.heartbeats = [beat, await client.postHeartbeat(beat.heartbeat_id)];
await until(() => user.events.filter((each) => each.status === "CONFIRMED").length === 2);
report.userEvents = user.events;
report.marketEvents = market.events;
user.socket.close();
market.socket.close();
console.log(`REPORT ${JSON.stringify(report)}`);
