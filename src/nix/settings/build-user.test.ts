import { expect, test } from "vitest";
import { isAmong } from "./build-user.ts";
import { isTrusted } from "./unsafe-settings.ts";

const user = { name: "homelab-deploy", groups: ["homelab-deploy", "builders"] };

test.each([
  [["root"], false],
  [["root", "homelab-deploy"], true],
  [["@builders"], true],
  [["@wheel", "builders"], false],
  [["*"], true],
  [[], false],
])("whether the user is among %j: %s", (names, expected) => {
  expect(isAmong(names, user)).toBe(expected);
  expect(isTrusted({ "trusted-users": names }, user)).toBe(expected);
});

test("nobody is trusted where the setting is not known", () => {
  expect(isTrusted({}, user)).toBe(false);
});
