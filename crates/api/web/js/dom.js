// Elements made from data. Nothing in this program parses HTML or sets a style attribute: what
// people write is text, whatever it looks like.

const SVG = "http://www.w3.org/2000/svg";

/// `attributes`: an "onclick" is a listener, true is an attribute without a value, and what is
/// null, undefined or false is left out. Children: nodes, texts, lists of them; null is left out.
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return fill(element, ...children);
}

/// Puts these in place of what is in an element.
export function fill(element, ...children) {
  const nodes = children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...nodes.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/// Of icons.svg. It says nothing to who cannot see it: what it stands on has a name.
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

let counted = 0;

/// An id that no other element has.
export function unique(prefix) {
  counted += 1;
  return `${prefix}-${counted}`;
}

/// A labelled control; `aid` is read out with it.
export function field(label, control, aid, attributes) {
  const id = control.id || unique("field");
  control.id = id;
  const help = aid ? h("p", { class: "aid", id: `${id}-aid` }, aid) : null;
  if (help) control.setAttribute("aria-describedby", help.id);
  return h("div", { class: "field", ...attributes }, h("label", { for: id }, label), control, help);
}
