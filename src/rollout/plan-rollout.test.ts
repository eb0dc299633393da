import { expect, test } from "vitest";
import { someSigner, someStatement, somePath } from "../../test/support/deploy-orders.ts";
import { someHostState } from "../../test/support/fake-deploy-bus.ts";
import { openStatement } from "../signing/open-envelope.ts";
import { signStatement } from "../signing/sign-envelope.ts";
import { planRollout } from "./plan-rollout.ts";

const now = new Date("2026-11-29T12:01:00.000Z");
const policy = { waves: [], atOnce: false };
const signed = signStatement(someStatement(), someSigner("builder"));
const stated = { ...openStatement(signed), signed };
const state = someHostState();
const { repo, host } = state;
const hosts = [{ address: { repo, host }, state, stated }];
const nothing = { newerCommits: new Set<string>(), wentBack: () => false };

test("a host goes from what it runs to what was stated", () => {
  const [planned] = planRollout({ hosts, policy, ...nothing }, now).hosts;
  expect(planned).toMatchObject({ host, from: somePath("old"), path: somePath("new") });
  expect(planned?.leftOut).toBeUndefined();
});

test("a system from which the host went back, and an older commit than its own, are refused", () => {
  const wentBack = (name: string, path: string): boolean => name === host && path === somePath("new");
  const newerCommits = new Set([state.running.commit ?? ""]);
  for (const facts of [
    { ...nothing, wentBack },
    { ...nothing, newerCommits },
  ]) {
    expect(planRollout({ hosts, policy, ...facts }, now).hosts).toMatchObject([{ leftOut: "refused" }]);
  }
});
