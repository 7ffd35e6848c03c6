// HTML that our own server has drawn, and escaped, becomes nodes here and nowhere else.

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("polycopy", { createHTML: (text) => text })
  : { createHTML: (text) => text };

/** Returns the nodes of a piece of HTML from our server. */
export function nodesOf(text) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(text);
  return template.content;
}

/** Returns an element with a text, which may be anything. */
export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
