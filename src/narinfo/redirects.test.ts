import { expect, test } from "vitest";
import { isWebPage, mayCarry, redirectTarget } from "./redirects.ts";

const from = (): URL => new URL("https://cache.lan/x/nar/1.nar");
const target = (status: number, location?: string): string | undefined =>
  redirectTarget({ status, headers: { location } }, from)?.href;

test.each([
  ["https://bucket.example/1?sig=x", "https://bucket.example/1?sig=x"],
  ["/elsewhere/1.nar", "https://cache.lan/elsewhere/1.nar"],
  ["2.nar", "https://cache.lan/x/nar/2.nar"],
  ["//bucket.example/1", "https://bucket.example/1"],
])("%s leads to %s", (location, url) => {
  for (const status of [301, 302, 303, 307, 308]) expect(target(status, location)).toBe(url);
});

test.each([undefined, "file:///etc/passwd", "ftp://x/", "http://u:p@x/", "http://"])(
  "%s leads nowhere",
  (location) => {
    expect(target(302, location)).toBeUndefined();
  },
);

test.each([200, 204, 300, 304, 404])("HTTP %i sends us nowhere", (status) => {
  expect(target(status, "https://bucket.example/")).toBeUndefined();
});

test("credentials stay with the host, and are not sent in the clear after TLS", () => {
  const carry = (base: string, to: string) => mayCarry(new URL(base), new URL(to));
  expect(carry("https://cache.lan", "https://cache.lan:8443/x")).toBe("any");
  expect(carry("http://cache.lan", "https://cache.lan/x")).toBe("any");
  expect(carry("https://cache.lan", "https://bucket.example/x")).toBe("own");
  expect(carry("https://cache.lan", "http://cache.lan/x")).toBe("none");
});

test("knows a page to sign in at", () => {
  expect(isWebPage({ status: 200, headers: { "content-type": "text/html; charset=utf-8" } })).toBe(true);
  expect(isWebPage({ status: 200, headers: { "content-type": "application/x-nix-nar" } })).toBe(false);
  expect(isWebPage({ status: 200, headers: {} })).toBe(false);
});
