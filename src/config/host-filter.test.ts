import { expect, test } from "vitest";
import { createHostFilter } from "./host-filter.ts";

test.each([
  ["web01", ["*"], [], undefined],
  ["web01", ["web*"], [], undefined],
  ["db01", ["web*", "mail"], [], "the configuration includes only web*, mail"],
  ["web-test", ["web*"], ["*-test"], "the configuration excludes *-test"],
  ["db-test", ["web*"], ["*-test"], "the configuration excludes *-test"],
  ["web01", [], [], "the configuration includes only "],
])("%s with include %j and exclude %j gives %j", (host, include, exclude, expected) => {
  expect(createHostFilter({ include, exclude })(host)).toBe(expected);
});

test("decides over names that cannot be used otherwise", () => {
  expect(createHostFilter({ include: ["*"], exclude: [] })("a b\n")).toBeUndefined();
});
