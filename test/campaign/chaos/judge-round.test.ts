import { expect, test } from "vitest";
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import { orderId, somePath } from "../../support/deploy-orders.ts";
import { scriptDeployments, type DeployScript } from "../../support/deploy-events.ts";
import { aRolloutEvent, aRolloutId, created, rolloutTime } from "../../support/rollout-events.ts";
import { judgeHands } from "./judge-hands.ts";
import { expectedPath, judgeRound, type RoundFacts } from "./judge-round.ts";

const id = aRolloutId();
const [old, path] = [somePath("old"), somePath("new")];
const hosts = ["web01", "web02"];
const rollout = { id, wave: 0 };

/** A host takes its order so many seconds after noon. */
function journal(host: string, order: number, second: number, of: object = { rollout }): DeployScript {
  const serial = Date.parse(rolloutTime(second));
  return scriptDeployments({ repo: "servers", host, order: orderId(order), start: rolloutTime(second) })
    .add("received", { path, serial, ...of })
    .add("activating");
}
const good = (host: string, order: number, second: number, of?: object): readonly DeployEvent[] =>
  journal(host, order, second, of).add("finished").events;

const event = (type: string, body: object, second: number) => aRolloutEvent(id, { type, ...body }, second);
const ordered = (host: string, order: number, second: number) =>
  event("ordered", { orders: [{ host, order: orderId(order), kind: "activate", path }] }, second);
const ended = (host: string, order: number, second: number, outcome = "completed") =>
  event("ended", { results: [{ host, order: orderId(order), outcome }] }, second);
const planned = (more: object = {}, wave: object = {}) => [
  created(id, { hosts }),
  event(
    "planned",
    {
      part: 0,
      parts: 1,
      waves: [{ name: "all", ...wave }],
      hosts: hosts.map((host) => ({ host, wave: 0, path, from: old, role: "web", ...more })),
    },
    0,
  ),
];
const events = [
  ...planned(),
  event("wave-started", { wave: 0 }, 1),
  ordered("web01", 1, 1),
  ended("web01", 1, 6),
  ordered("web02", 2, 6),
  ended("web02", 2, 15),
  event("finished", { outcome: "completed" }, 16),
];
const shown = {
  status: "completed",
  exitCode: 0,
  hosts: hosts.map((host) => ({ host, status: "done" })),
};
const facts: RoundFacts = {
  rollouts: [{ events, shown, exitCode: 0 }],
  before: { web01: old, web02: old },
  journals: { web01: good("web01", 1, 2), web02: good("web02", 2, 7) },
  roles: { web01: "web", web02: "web" },
  holds: [],
};
const withEvents = (all: typeof events, more: Partial<RoundFacts> = {}): RoundFacts => ({
  ...facts,
  rollouts: [{ events: all, shown, exitCode: 0 }],
  ...more,
});
/** Without its end: it still runs. */
const running = events.slice(0, 5);

test("a rollout that did what it says has no fault", () => {
  expect(judgeRound(facts)).toEqual([]);
});

test.each<readonly [string, RoundFacts, string]>([
  [
    "an order to a held host",
    { ...facts, holds: [{ host: "web01", from: Date.parse(rolloutTime(-10)) }] },
    "web01 is held",
  ],
  [
    "an order after an abort",
    withEvents([...running, event("aborted", { by: "kai" }, 6), ordered("web02", 2, 6)]),
    "an order after the abort",
  ],
  [
    "an order past a manual wave",
    withEvents([
      ...planned({}, { manual: true }),
      event("wave-started", { wave: 0 }, 1),
      ordered("web01", 1, 1),
    ]),
    "past the manual wave",
  ],
  [
    "an order that was signed long after an abort",
    withEvents([...running.slice(0, 4), event("aborted", { by: "kai" }, 1)], {
      journals: { web01: good("web01", 1, 20) },
    }),
    "19000 ms after it was aborted",
  ],
  [
    "an order that nobody told",
    { ...facts, journals: { ...facts.journals, web02: good("web02", 3, 7) } },
    "no rollout has told its order",
  ],
  [
    "a result that the host does not know",
    {
      ...facts,
      journals: {
        ...facts.journals,
        web02: journal("web02", 2, 7).add("finished", { outcome: "rolled-back" }).events,
      },
    },
    "the log says completed",
  ],
  [
    "an order that was said not to be taken, and was",
    withEvents([...running.slice(0, 4), ended("web01", 1, 6, "not-taken")]),
    "has begun it",
  ],
  [
    "two hosts of one role at once",
    { ...facts, journals: { web01: good("web01", 1, 6.5), web02: good("web02", 2, 7) } },
    "both web",
  ],
  [
    "a success that is none",
    { ...facts, journals: { ...facts.journals, web02: journal("web02", 2, 7).events } },
    "does not run on web02",
  ],
  [
    "a wrong exit code",
    { ...facts, rollouts: [{ events, shown, exitCode: 3 }] },
    "it says the exit code 0, and exits with 3",
  ],
  [
    "a host that is shown otherwise",
    { ...facts, rollouts: [{ events, shown: { ...shown, status: "failed" }, exitCode: 0 }] },
    "it is shown as failed",
  ],
])("%s is a fault", (_, wrong, what) => {
  expect(judgeRound(wrong).join("\n")).toContain(what);
});

test("a person who deploys to the other one of a role a moment before is not the rollout's fault, a long while before is", () => {
  const byHand = (second: number): RoundFacts => ({
    ...facts,
    journals: { ...facts.journals, web01: [...journal("web01", 5, second, { rollout: undefined }).events] },
  });
  expect(judgeRound(byHand(5)).join("\n")).not.toContain("both web");
  expect(judgeRound(byHand(-20)).join("\n")).toContain("by hand), both web");
});

test("a host must run what it last made its own", () => {
  expect(expectedPath(old, [])).toBe(old);
  expect(expectedPath(old, good("web01", 1, 2))).toBe(path);
  expect(expectedPath(old, good("web01", 1, 2), Date.parse(rolloutTime(3)))).toBe(old);
  const back = journal("web01", 1, 2).add("finished", { outcome: "rolled-back" }).events;
  expect(expectedPath(old, back)).toBe(old);
});

test("what a person was told of a host is what the host did", () => {
  const hand = {
    host: "web01",
    from: Date.parse(rolloutTime(0)),
    to: Date.parse(rolloutTime(60)),
    said: "",
  } as const;
  const done = { web01: good("web01", 5, 2, { rollout: undefined }) };
  const back = journal("web01", 5, 2, { rollout: undefined });
  const undone = { web01: back.add("finished", { outcome: "rolled-back" }).events };
  expect(judgeHands([{ ...hand, exitCode: 0 }], done)).toEqual([]);
  expect(judgeHands([{ ...hand, exitCode: 1 }], undone)).toEqual([]);
  expect(judgeHands([{ ...hand, exitCode: 0 }], undone)).toHaveLength(1);
  expect(judgeHands([{ ...hand, exitCode: 1 }], done)).toHaveLength(1);
});
