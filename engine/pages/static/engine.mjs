// The figures of the engine, once a second. What is drawn stays; words and classes change. Other engines every ten seconds.

import { askHtml } from "./api.mjs";
import { nodesOf } from "./html.mjs";

const say = (node, text) => {
  if (node && node.textContent !== text) node.textContent = text;
};
const figure = (name) => document.querySelector(`[data-figure="${name}"]`);
const count = new Intl.NumberFormat("en-US");
const THIN = "\u202f";

function memory(bytes) {
  let amount = bytes;
  let unit = "B";
  for (const next of ["KiB", "MiB", "GiB"]) {
    if (amount < 1024) break;
    amount /= 1024;
    unit = next;
  }
  return `${unit === "B" || amount >= 100 ? amount.toFixed(0) : amount.toFixed(1)}${THIN}${unit}`;
}

function duration(seconds) {
  if (seconds < 1) return seconds > 0 ? `${Math.round(seconds * 1000)} ms` : "0 s";
  const whole = Math.floor(seconds);
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts.slice(first, first + 2).filter(([amount]) => amount > 0).map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

const short = (value) => {
  for (const [size, word] of [[1e15, "P"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size * 10) return `${Number((value / size).toPrecision(3))}${word}`;
  }
  return String(value);
};
const rate = (perS) => (perS === null ? "–" : perS < 1000 ? perS.toFixed(1) : short(Math.round(perS)));

function badge(node, text, tone) {
  if (!node) return;
  say(node, text);
  node.className = `badge ${tone}`;
}

function showChannel(one) {
  const row = document.querySelector(`[data-channel-row="${CSS.escape(one.name)}"]`);
  if (row) {
    for (const name of ["depth", "capacity", "peakDepth", "sent", "dropped"]) {
      say(row.querySelector(`[data-cell="${name}"]`), count.format(one[name]));
    }
    say(row.querySelector('[data-cell="rate"]'), one.sentPerS === null ? "–" : one.sentPerS.toFixed(1));
  }
  const drawn = document.querySelector(`.graph [data-channel="${CSS.escape(one.name)}"]`);
  if (!drawn) return;
  const isFull = one.depth * 10 >= one.capacity * 9;
  drawn.setAttribute("class", `graph-channel${isFull ? " graph-full" : ""}${one.droppedPerS ? " graph-dropping" : ""}`);
  say(drawn.querySelector('[data-text="depth"]'), `${short(one.depth)}/${short(one.capacity)}`);
  const lost = one.dropped ? ` · ${short(one.dropped)} lost` : "";
  say(drawn.querySelector('[data-text="rate"]'), `${rate(one.sentPerS)}${one.sentPerS === null ? "" : "/s"}${lost}`);
}

function showActor(one) {
  const row = document.querySelector(`[data-actor-row="${CSS.escape(one.name)}"]`);
  if (row) {
    badge(row.querySelector('[data-cell="up"]'), one.up ? "up" : "down", one.up ? "ok" : "bad");
    say(row.querySelector('[data-cell="restarts"]'), String(one.restarts));
    say(row.querySelector('[data-cell="error"]'), one.lastError ?? "–");
  }
  const drawn = document.querySelector(`.graph [data-actor="${CSS.escape(one.name)}"]`);
  if (!drawn) return;
  drawn.setAttribute("class", `graph-actor graph-${one.up ? "up" : "down"}${one.restarts ? " graph-restarted" : ""} graph-${one.group}`);
  const restarts = one.restarts ? ` · ${one.restarts} restart${one.restarts === 1 ? "" : "s"}` : "";
  say(drawn.querySelector('[data-text="state"]'), `${one.up ? "up" : "down"}${restarts}`);
}

const LEASES = {
  held: "lease held",
  none: "started without the role ingest",
  standby: "standby: another engine holds the lease",
};

function show(engine) {
  say(figure("uptime"), engine.uptimeS === null ? "–" : duration(engine.uptimeS));
  badge(figure("ready"), engine.ready ? "ready" : "not ready", engine.ready ? "ok" : "bad");
  const waits = Object.entries(engine.waitingFor).map(([name, why]) => `${name}: ${why}`);
  say(figure("waiting"), waits.join(" ") || (LEASES[engine.lease] ?? LEASES.standby));
  say(figure("heap"), memory(engine.heapBytes));
  const used = document.querySelector('[data-figure="meter"] .meter-used');
  used?.setAttribute("width", String(Math.min(100, engine.heapRatio * 100)));
  const tone = engine.heapRatio >= 0.9 ? "full" : engine.heapRatio >= 0.7 ? "warn" : "calm";
  used?.closest(".meter").setAttribute("class", `meter meter-${tone}`);
  say(figure("lag"), `${engine.loopLagP99Ms.toFixed(1)} ms`);
  say(figure("lag50"), `${engine.loopLagP50Ms.toFixed(1)} ms`);
  const age = engine.stream?.lastFrameAgeMs ?? null;
  say(figure("frame"), age === null ? "–" : duration(age / 1000));
  if (engine.stream) {
    say(figure("stream"), `${engine.stream.connected ? "connected" : "not connected"}, ${engine.stream.reconnects} reconnects`);
  }
  const alarm = document.querySelector("[data-live-banner].simulated") ? "warn" : "bad"; // as the banner has it
  badge(figure("live"), engine.live.on ? "orders are sent" : "off", engine.live.on ? alarm : "");
  engine.channels.forEach(showChannel);
  engine.actors.forEach(showActor);
  for (const one of engine.upstream) {
    const row = document.querySelector(`[data-upstream-row="${CSS.escape(`${one.api} ${one.user}`)}"]`);
    say(row?.querySelector('[data-cell="lastMinute"]'), count.format(one.lastMinute));
    say(row?.querySelector('[data-cell="calls"]'), count.format(one.calls));
  }
}

const state = document.querySelector("[data-stream-state]");
let source = null;
function listen() {
  source = new EventSource("/api/admin/engine/stream");
  source.addEventListener("open", () => say(state, "Live."));
  source.addEventListener("error", () => say(state, "The engine does not answer; trying again …"));
  source.addEventListener("message", (event) => show(JSON.parse(event.data)));
}
listen();

const CLUSTER_MS = 10_000;
setInterval(async () => {
  const box = document.querySelector("[data-cluster]");
  // Who is on his way through the table with a keyboard keeps his place.
  if (document.hidden || !box || box.contains(document.activeElement)) return;
  try {
    const drawn = nodesOf(await askHtml(location.pathname)).querySelector("[data-cluster]");
    if (drawn) box.replaceWith(drawn);
  } catch {
    // The stream says that the engine does not answer.
  }
}, CLUSTER_MS);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source.close();
    say(state, "Paused.");
  } else listen();
});
