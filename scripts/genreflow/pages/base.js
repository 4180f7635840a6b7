"use strict";
// What the scripts of all pages begin with.

const data = JSON.parse(document.getElementById("data").textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Text only ever becomes text nodes and attributes, never markup.
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// Words, with the numbers in them in their order.
const words = new Intl.Collator("en", { numeric: true });

// Tells whether a name has each word of a text.
const filterOf = (text) => {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (name) => wanted.every((word) => name.toLowerCase().includes(word));
};

const percent = (thousandths) => `${(thousandths / 10).toFixed(1)} %`;

// A genre, how probable it is in thousandths, and a bar of that.
const share = (genre, thousandths, kind = "") => {
  const bar = make("span", { class: "bar" });
  bar.style.setProperty("--v", thousandths / 1000);
  return make("div", { class: kind },
    make("dt", { title: genre }, genre),
    make("dd", {}, bar, make("span", {}, percent(thousandths))));
};
