import { expect, test } from "vitest";
import { somePath } from "../../test/support/deploy-orders.ts";
import { decideSwitch, type SwitchLinks } from "./decide-switch.ts";

const [a, b] = [somePath("old"), somePath("new")];
const before = { running: a, etcStatic: `${a}/etc` };

const refuses = (after: SwitchLinks) =>
  decideSwitch({
    result: { exitCode: 100, timedOut: false, output: "switch inhibitors changed", leftLists: false },
    before,
    after,
    target: b,
    targetEtc: `${b}/etc`,
  });

test("a system that refuses to be switched to is booted", () => {
  expect(refuses(before)).toEqual({ type: "to-be-booted", why: "switch inhibitors changed" });
});

test("one that says so when it has changed the machine is broken, and not made permanent", () => {
  expect(refuses({ ...before, etcStatic: `${b}/etc` })).toMatchObject({ type: "broken" });
});

test("a lock that somebody else holds is waited for, whatever links and lists that one moves meanwhile", () => {
  const result = { exitCode: 11, timedOut: false, output: "Could not acquire lock", leftLists: true };
  const after = { running: b, etcStatic: `${b}/etc` };
  expect(decideSwitch({ result, before, after, target: b, targetEtc: `${b}/etc` })).toEqual({ type: "busy" });
});
