import fc from "fast-check";
import { expect, test } from "vitest";
import { matchesGlob, parseGlob } from "./glob.ts";

test.each([
  ["*", "web01", true],
  ["*", "web.lan", true],
  ["**", "", true],
  ["web*", "web01", true],
  ["web*", "db01", false],
  ["*01", "web01", true],
  ["w*b*1", "web01", true],
  ["web.*", "web.lan", true],
  ["web.lan", "webXlan", false],
  ["web?1", "web01", true],
  ["web?", "web", false],
  ["web0[12]", "web02", true],
  ["web0[!1-3]", "web02", false],
  ["web0[!1-3]", "web04", true],
  ["x[a-]", "x-", true],
  ["web", "Web", false],
  ["web", "web01", false],
  ["", "web", false],
])("%j on %j gives %j", (pattern, name, expected) => {
  expect(matchesGlob(parseGlob(pattern), name)).toBe(expected);
});

test.each(["a[", "a[]", "a[!]", "a[z-a]"])("%j is not a glob", (pattern) => {
  expect(() => parseGlob(pattern)).toThrow(SyntaxError);
});

test("says the same as the regular expression that it stands for", () => {
  const part = fc.constantFrom("*", "?", "a", "b", ".", "[ab]", "[!a]");
  const name = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), name, (parts, text) => {
      const asExpression = parts.map((each) =>
        each === "*" ? ".*" : each === "?" ? "." : each === "." ? "\\." : each.replace("[!", "[^"),
      );
      const expected = new RegExp(`^${asExpression.join("")}$`).test(text);
      expect(matchesGlob(parseGlob(parts.join("")), text)).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

test("a pattern made to take forever does not", () => {
  // With a step back for each star it would not end before the universe does.
  expect(matchesGlob(parseGlob(`${"*a".repeat(60)}b`), "a".repeat(128))).toBe(false);
});
