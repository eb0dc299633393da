import { expect, test } from "vitest";
import { isAtLeast } from "./version.ts";

test.each([
  ["2.10.0", "2.10.0", true],
  ["2.10.27", "2.10.0", true],
  ["2.9.99", "2.10.0", false],
  ["3.0", "2.10.0", true],
  ["2.10.0-RC.1", "2.10.0", true],
  ["2", "2.10.0", false],
  [undefined, "2.10.0", false],
  ["unknown", "2.10.0", false],
])("%s is at least %s: %s", (version, wanted, expected) => {
  expect(isAtLeast(version, wanted)).toBe(expected);
});
