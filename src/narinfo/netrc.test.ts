import { expect, test } from "vitest";
import { authorizationFor, parseNetrc } from "./netrc.ts";

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

test("reads entries on one line and on several, with comments and quotes", () => {
  const text = `# caches
machine Cache.lan login deploy password s3cret
machine other.lan
  login "a b"
  password "x\\"y"
default login anybody password none
`;
  expect(parseNetrc(text)).toEqual([
    { machine: "cache.lan", login: "deploy", password: "s3cret" },
    { machine: "other.lan", login: "a b", password: 'x"y' },
    { machine: undefined, login: "anybody", password: "none" },
  ]);
  expect(parseNetrc("password lost\nmachine")).toEqual([{ machine: "", login: "", password: "" }]);
  expect(parseNetrc("")).toEqual([]);
});

test("an entry is for one host, and the default only where it may be", () => {
  const entries = parseNetrc("machine cache.lan login u password p\ndefault login d password e");
  expect(authorizationFor(entries, "CACHE.lan", { allowsDefault: true })).toBe(basic("u:p"));
  expect(authorizationFor(entries, "bucket.example", { allowsDefault: true })).toBe(basic("d:e"));
  expect(authorizationFor(entries, "bucket.example", { allowsDefault: false })).toBeUndefined();
  expect(authorizationFor([], "cache.lan", { allowsDefault: true })).toBeUndefined();
});
