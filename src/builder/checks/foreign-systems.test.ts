import { expect, test } from "vitest";
import { aStatus } from "../../../test/support/builds.ts";
import { parseBuilderName } from "../../protocol/names.ts";
import type { Decision } from "../decide-verdicts.ts";
import type { OtherBuilders } from "../other-builders.ts";
import { explainForeign, foreignReason } from "./foreign-systems.ts";

const never = new AbortController().signal;
const now = "2026-11-23T14:10:00.000Z";

const remedy =
  "add a remote builder to nix.conf or emulate the system, see docs/guides/scaling.md#other-systems";

test.each([
  [undefined, `no builder for its system, x: ${remedy}`],
  [[], `no builder for its system, x (no other builder that is online has it): ${remedy}`],
  [
    ["pi01"],
    `no builder for its system, x (pi01 has it and is online, but builders do not share a build): ${remedy}`,
  ],
  [
    ["a", "b", "c", "d", "e", "f", "g"],
    `no builder for its system, x (a, b, c, d, e and 2 more have it and are online, but builders do not share a build): ${remedy}`,
  ],
])("with %j the reason says what to do", (names, reason) => {
  expect(foreignReason("no builder for its system, x", names?.map(parseBuilderName))).toBe(reason);
});

test("only builders that have the system are named, and other decisions stay as they are", async () => {
  const others: OtherBuilders = {
    online: async () => ({
      own: undefined,
      others: [
        { ...aStatus("pi01", now), systems: ["armv7l-linux", "aarch64-linux"] },
        { ...aStatus("pc", now), systems: ["x86_64-linux"] },
      ],
    }),
  };
  const skipped: Decision = {
    type: "verdict",
    verdict: "skipped",
    reason: "firmware: no builder for 'aarch64-linux'",
    foreignSystem: "aarch64-linux",
  };
  const built: Decision = { type: "verdict", verdict: "built" };
  const featureless: Decision = { type: "verdict", verdict: "skipped", reason: "no builder with kvm" };
  const decisions = new Map([
    ["a", skipped],
    ["b", skipped],
    ["c", built],
    ["d", featureless],
  ]);
  const explained = await explainForeign(decisions, others, never);
  const reason = `firmware: no builder for 'aarch64-linux' (pi01 has it and is online, but builders do not share a build): ${remedy}`;
  expect([...explained.values()]).toEqual([
    { ...skipped, reason },
    { ...skipped, reason },
    built,
    featureless,
  ]);
});
