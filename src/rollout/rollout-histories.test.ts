import { expect, test } from "vitest";
import { createChoices } from "../../test/support/random-choices.ts";
import { simulateRollout } from "../../test/support/simulated-rollout.ts";

const histories = 2000;

test(`${histories} random histories end, and nothing happens in them that must not`, () => {
  const outcomes = new Map<string, number>();
  const halts = new Set<string>();
  const fetchEnds = new Set<string>();
  let fetchesAhead = 0;
  let withdrawnFetches = 0;
  for (let seed = 1; seed <= histories; seed++) {
    const { rollout, violations, events, fetches } = simulateRollout(createChoices(seed));
    fetchesAhead += fetches;
    for (const event of events) {
      if (event.type === "fetch-ended") for (const each of event.results) fetchEnds.add(each.outcome);
      if (event.type !== "withdrawn") continue;
      const ahead = new Set([...rollout.hosts.values()].map((host) => host.ahead?.order));
      withdrawnFetches += event.orders.filter(({ order }) => ahead.has(order)).length;
    }
    expect(violations, `seed ${seed}`).toEqual([]);
    const outcome = rollout.end?.outcome ?? "none";
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    for (const event of events) if (event.type === "halted") halts.add(event.code);
    expect(
      [...rollout.hosts.values()].filter(({ status }) => status === "ordered"),
      `seed ${seed}: an order is left`,
    ).toEqual([]);
  }
  // The histories reach what they are about.
  expect(fetchesAhead).toBeGreaterThan(histories / 10);
  expect(withdrawnFetches).toBeGreaterThan(0);
  expect([...fetchEnds].toSorted()).toEqual(["failed", "fetched", "not-taken", "rejected", "superseded"]);
  expect([...outcomes.keys()].toSorted()).toEqual([
    "aborted",
    "completed",
    "completed-with-absent",
    "failed",
  ]);
  expect([...halts].toSorted()).toEqual(
    ["GATE_FAILED", "GATE_NO_DATA", "GOT_WORSE", "HOSTS_FAILED", "HOST_SILENT", "NO_CANARY"].toSorted(),
  );
});
