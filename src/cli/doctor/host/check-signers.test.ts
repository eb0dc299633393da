import { expect, test } from "vitest";
import { operator, somePolicy } from "../../../../test/support/deploy-orders.ts";
import { checkSigners } from "./check-signers.ts";

const now = new Date("2026-11-29T12:00:00.000Z");
const key = (more: object) => ({ name: "kai", key: operator.key, may: ["deploy"], ...more });
const judge = (more: object) => checkSigners(somePolicy(more), now);

test.each<readonly [string, object, RegExp]>([
  ["no key at all", { trustedKeys: [] }, /no key may deploy here: none is trusted/],
  [
    "keys that may do other things",
    { trustedKeys: [key({ may: ["reboot"] })] },
    /kai \(its `may` has no deploy\)/,
  ],
  [
    "a key that is over",
    { trustedKeys: [key({ notAfter: "2026-11-01T00:00:00Z" })] },
    /kai \(was good until 2026-11-01/,
  ],
  [
    "a key for another tier",
    { trustedKeys: [key({ tiers: ["test"] })] },
    /only for test, and this host is prod/,
  ],
  [
    "a key for some tiers, and no tier",
    { trustedKeys: [key({ tiers: ["test"] })], tier: undefined },
    /of no tier/,
  ],
  ["no builder", { trustedBuilders: [] }, /no builder is trusted/],
  ["no branch", { allowedBranches: [] }, /no branch is allowed/],
])("wrong: %s", (_, policy, says) => {
  expect(judge(policy)).toMatchObject({
    state: "wrong",
    message: expect.stringMatching(says),
    hint: expect.stringContaining("nixos-rebuild"),
  });
});

test("a last key that is over soon is worth a warning, and another one that stays is enough", () => {
  const soon = key({ notAfter: "2026-12-05T00:00:00Z" });
  expect(judge({ trustedKeys: [soon] })).toMatchObject({ state: "warning" });
  expect(judge({ trustedKeys: [soon, key({ name: "gunter" })] })).toEqual({
    check: "signers",
    state: "ok",
    message: "kai, gunter may deploy here",
  });
});
