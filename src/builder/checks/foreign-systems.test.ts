import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import { parseBuilderName } from "../../protocol/names.ts";
import type { Decision } from "../decide-verdicts.ts";
import { createOtherBuilders, explainForeign, foreignReason, type OtherBuilders } from "./foreign-systems.ts";

const own = parseBuilderName("cache01");
const now = Date.parse("2026-11-23T14:08:58Z");
const clock = { ...systemClock, now: () => new Date(now) };
const never = new AbortController().signal;

const status = (name: string, systems: string[], ageMs = 0): BuilderStatus => ({
  name: parseBuilderName(name),
  version: "0.1.0",
  nixVersion: "2.34.8",
  systems,
  repos: [],
  at: new Date(now - ageMs).toISOString(),
  startedAt: new Date(0).toISOString(),
  evaluationSlots: 1,
  builds: [],
});

test("only others count, that are online and have the system", async () => {
  const statuses = [
    status("cache01", ["aarch64-linux"]),
    status("pi01", ["aarch64-linux", "armv7l-linux"], 60_000),
    status("gone", ["aarch64-linux"], 66_000),
    status("pc", ["x86_64-linux"]),
  ];
  const others = createOtherBuilders({
    bus: { listBuilders: async () => statuses },
    name: own,
    clock,
    log: silentLog,
  });
  expect(await others.buildersFor("aarch64-linux", never)).toEqual(["pi01"]);
  expect(await others.buildersFor("riscv64-linux", never)).toEqual([]);
});

test("a bus that fails or does not answer leaves it unknown, and keeps no verdict waiting", async () => {
  const failing = async (): Promise<never> => Promise.reject(new Error("no connection to NATS"));
  const of = (listBuilders: () => Promise<readonly BuilderStatus[]>, time = systemClock): OtherBuilders =>
    createOtherBuilders({ bus: { listBuilders }, name: own, clock: time, log: silentLog });
  expect(await of(failing).buildersFor("aarch64-linux", never)).toBeUndefined();
  const fake = createFakeClock();
  const asked = of(async () => new Promise(() => {}), fake).buildersFor("aarch64-linux", never);
  await fake.advance(3000);
  expect(await asked).toBeUndefined();
});

const remedy =
  "add a remote builder to nix.conf or emulate the system, see docs/guides/scaling.md#other-systems";

test.each([
  [undefined, `no builder for its system, x: ${remedy}`],
  [[], `no builder for its system, x (no other builder that is online has it): ${remedy}`],
  [["pi01"], `no builder for its system, x (pi01 has it and is online): ${remedy}`],
  [
    ["a", "b", "c", "d", "e", "f", "g"],
    `no builder for its system, x (a, b, c, d, e and 2 more have it and are online): ${remedy}`,
  ],
])("with %j the reason says what to do", (names, reason) => {
  expect(foreignReason("no builder for its system, x", names?.map(parseBuilderName))).toBe(reason);
});

test("each system is asked for once, and other decisions stay as they are", async () => {
  const asked: string[] = [];
  const others: OtherBuilders = {
    async buildersFor(system) {
      asked.push(system);
      return [parseBuilderName("pi01")];
    },
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
  const reason = `firmware: no builder for 'aarch64-linux' (pi01 has it and is online): ${remedy}`;
  expect([...explained.values()]).toEqual([
    { ...skipped, reason },
    { ...skipped, reason },
    built,
    featureless,
  ]);
  expect(asked).toEqual(["aarch64-linux"]);
});
