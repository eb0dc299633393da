import fc from "fast-check";
import { expect, test } from "vitest";
import { html, safeAddress } from "./html.ts";

test("every value is text, and only what the template made is markup", () => {
  const inner = html`<b>${"<i>"}</b>`;
  expect(html`<p title="${'a"b'}">${inner}${["x", 1, undefined, false]}</p>`.toString()).toBe(
    '<p title="a&quot;b"><b>&lt;i&gt;</b>x1</p>',
  );
});

test("no text makes an element or leaves its attribute", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      const markup = html`<p title="${text}">${text}</p>`.toString();
      expect(markup.match(/[<>]/g)).toEqual(["<", ">", "<", ">"]);
      expect(markup.match(/"/g)).toHaveLength(2);
    }),
  );
});

test("what has no shape, or turns text round, is shown", () => {
  expect(html`${"a\u202egnp\u0000\u001b[0m\u009b\u2066b\tc"}`.toString()).toBe("a␛gnp␛␛[0m␛␛b\tc");
});

test("a template that puts a value where escaping does not protect throws", () => {
  expect(() => html`<p title=${"x"}></p>`).toThrow(/without quotes/);
  expect(() => html`<p ${"onclick"}></p>`).toThrow(/without quotes/);
  expect(() => html`<script>${"x"}</script>`).toThrow(/must not/);
  expect(() => html`<style>${"x"}</style>`).toThrow(/must not/);
  expect(() => html`<p onclick="${"x"}"></p>`).toThrow(/must not/);
  expect(() => html`<p style="${"x"}"></p>`).toThrow(/must not/);
  expect(() => html`<!-- ${"x"} -->`).toThrow(/must not/);
  expect(() => html`<p title="${"x"}`).toThrow(/ends inside/);
});

test.each([
  ["https://git.lan/a?b=c", "https://git.lan/a?b=c"],
  ["http://git.lan", "http://git.lan/"],
  ["javascript:alert(1)", undefined],
  ["data:text/html,x", undefined],
  ["//git.lan", undefined],
  [undefined, undefined],
])("%s leads to %s", (address, expected) => {
  expect(safeAddress(address)).toBe(expected);
});
