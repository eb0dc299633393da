import { expect, test } from "vitest";
import { evaluationDigest } from "./evaluation-digest.ts";

const settings = {
  "experimental-features": ["flakes", "nix-command"],
  system: "x86_64-linux",
  "extra-platforms": ["i686-linux"],
  "system-features": ["kvm"],
  "restrict-eval": false,
  "max-jobs": 4,
};

test.each([
  { "experimental-features": ["ca-derivations", "flakes", "nix-command"] },
  { system: "aarch64-linux" },
  { "extra-platforms": ["i686-linux", "aarch64-linux"] },
  { "system-features": [] },
  { "restrict-eval": true },
  { "pure-eval": true },
])("another digest with %j", (change) => {
  expect(evaluationDigest({ ...settings, ...change })).not.toBe(evaluationDigest(settings));
});

test("the same in another order, and with other numbers of jobs", () => {
  const changed = { ...settings, "experimental-features": ["nix-command", "flakes"], "max-jobs": 1 };
  expect(evaluationDigest(changed)).toBe(evaluationDigest(settings));
  expect(evaluationDigest(settings)).toMatch(/^[0-9a-f]{64}$/);
});
