import { expect, test } from "vitest";
import { checkVersion, type GatedProgram } from "./known-holes.ts";

test.each<[GatedProgram, string, boolean]>([
  ["Nix", "2.8.0", false],
  ["Nix", "2.28.6", false],
  ["Nix", "2.28.7", true],
  ["Nix", "2.31.4", false],
  ["Nix", "2.34.7", true],
  ["Nix", "2.35.0pre20260101_abcdef0", true],
  ["Lix", "2.92.9", false],
  ["Lix", "2.93.4", true],
  ["nats-server", "2.9.10", false],
  ["nats-server", "2.10.29", false],
  ["nats-server", "2.12.6", false],
  ["nats-server", "2.13.0", false],
  ["nats-server", "2.15.1", true],
  ["git", "git version 2.39.5", false],
  ["git", "git version 2.47.0", true],
  ["git", "nothing", false],
])("%s %s: fixed is %s", (program, version, isFixed) => {
  const findings = checkVersion(program, version);
  expect(findings.map(({ state }) => state)).toEqual(isFixed ? [] : ["warning"]);
  for (const { hint } of findings) expect(hint).toContain("update");
});
