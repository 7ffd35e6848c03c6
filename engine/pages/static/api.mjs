// Talks to the API of our own server with the session of this browser.

const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** What the server refused, with the field and the list of problems it named. */
export class Refusal extends Error {
  constructor(status, detail) {
    super(detail.message);
    this.status = status;
    this.code = detail.code;
    this.field = detail.field;
    this.problems = detail.problems ?? [];
    this.retryAfterS = detail.retryAfterS ?? null;
  }
}

/** Returns the decoded answer to a request of the API. Throws `Refusal`, also when the server cannot be reached. */
export async function ask(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-csrf-token"] = token();
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new Refusal(0, { code: "unreachable", message: "The engine does not answer.", field: null });
  }
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = { error: { code: "not_json", message: `The engine answered ${response.status}.`, field: null } };
  }
  if (!response.ok) {
    const detail = answer.error ?? { code: "unknown", message: `The engine answered ${response.status}.`, field: null };
    throw new Refusal(response.status, { ...detail, retryAfterS: Number(response.headers.get("retry-after")) || null });
  }
  return answer;
}

/** Returns a piece of a page as text. Throws `Refusal`. */
export async function askHtml(path) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", headers: { accept: "text/html" } });
  } catch {
    throw new Refusal(0, { code: "unreachable", message: "The engine does not answer.", field: null });
  }
  if (response.redirected && new URL(response.url).pathname === "/login") {
    location.assign(response.url);
  }
  if (!response.ok) {
    throw new Refusal(response.status, { code: "failed", message: `The engine answered ${response.status}.`, field: null });
  }
  return response.text();
}
