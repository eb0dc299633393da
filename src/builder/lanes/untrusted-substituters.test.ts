import { expect, test } from "vitest";
import type { NixActivity } from "../../nix/realiser.ts";
import type { StorePath } from "../../protocol/names.ts";
import { createSignatureWarnings } from "./untrusted-substituters.ts";

const path = `/nix/store/${"a".repeat(32)}-x` as StorePath;
const message = (text: string): NixActivity => ({
  type: "message",
  message: { level: 1, text, authentic: false },
});

function warningsOf(activities: readonly NixActivity[]): readonly string[] {
  const warnings: string[] = [];
  const take = createSignatureWarnings((text) => warnings.push(text));
  activities.forEach(take);
  return warnings;
}

test.each([
  // 2.8.0
  `warning: the substitute for '${path}' from 'http://u:p@cache?trusted=0' is not signed by any of the keys in 'trusted-public-keys'`,
  // 2.26.3, 2.34.8
  `warning: ignoring substitute for '${path}' from 'http://u:p@cache?trusted=0', as it's not signed by any of the keys in 'trusted-public-keys'`,
])("says once which substituter nobody trusts: %s", (text) => {
  expect(warningsOf([message(text), message(text)])).toEqual([
    "nothing is taken from the substituter http://cache that no key of trusted-public-keys in nix.conf has signed; it is built from source",
  ]);
});

test("other messages, and those that a builder could have printed, say nothing", () => {
  const text = `ignoring substitute for '${path}' from 'http://x', as it's not signed by any of the keys in 'trusted-public-keys'`;
  expect(warningsOf([message("warning: something"), { type: "fetch-counts", done: 0, expected: 1 }])).toEqual(
    [],
  );
  expect(warningsOf([{ type: "derivation-started", drvPath: path }, message(text)])).toEqual([]);
});
