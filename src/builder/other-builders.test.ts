import { expect, test } from "vitest";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { aStatus } from "../../test/support/builds.ts";
import { silentLog } from "../base/log.ts";
import { parseBuilderName, parseRepoName } from "../protocol/names.ts";
import type { BuilderStatus } from "../protocol/builder-status.ts";
import { createOtherBuilders, onlineBuilders, shareQueue } from "./other-builders.ts";

const { signal } = new AbortController();
const me = parseBuilderName("b1");
const now = new Date("2026-11-23T14:10:00.000Z");
const status = (name: string, secondsAgo: number, repo = "servers"): BuilderStatus => ({
  ...aStatus(name, new Date(now.getTime() - secondsAgo * 1000).toISOString()),
  repos: [parseRepoName(repo)],
});

test.each([
  ["nobody else", [status("b1", 1)], false],
  ["another one", [status("b1", 1), status("b2", 60)], true],
  ["one that is gone", [status("b1", 1), status("b2", 70)], false],
  ["one of other repos", [status("b1", 1), status("b2", 1, "laptops")], false],
  ["one, while we have said nothing yet", [status("b2", 1, "laptops")], true],
])("who shares the queue: %s", (_, statuses, expected) => {
  expect(shareQueue(onlineBuilders(statuses, me, now))).toBe(expected);
});

test("others are looked for every 20 s, and what cannot be read changes nothing", async () => {
  const clock = createFakeClock("2026-11-23T14:10:00.000Z");
  let asked = 0;
  const bus = {
    async listBuilders() {
      asked++;
      if (asked > 1) throw new Error("NATS is away");
      return [status("b2", 0)];
    },
  };
  const others = createOtherBuilders(bus, me, { clock, log: silentLog });
  const found = { own: undefined, others: [status("b2", 0)] };
  expect(await Promise.all([others.online(signal), others.online(signal)])).toEqual([found, found]);
  expect(asked).toBe(1);
  await clock.advance(20_000);
  expect(await others.online(signal)).toEqual(found);
  expect(asked).toBe(2);
});

test("a bus that fails or does not answer leaves it unknown, and keeps nobody waiting", async () => {
  const clock = createFakeClock();
  const of = (listBuilders: () => Promise<readonly BuilderStatus[]>) =>
    createOtherBuilders({ listBuilders }, me, { clock, log: silentLog });
  expect(await of(async () => Promise.reject(new Error("NATS is away"))).online(signal)).toBeUndefined();
  const asked = of(async () => new Promise(() => {})).online(signal);
  await clock.advance(3000);
  expect(await asked).toBeUndefined();
});
