import { expect, test } from "vitest";
import { hosts, simulateUpdate } from "../../../test/support/simulated-update.ts";
import { HomelabError } from "../../base/errors.ts";
import { safeUpdate } from "../safe-update.ts";
import { announce, announceError } from "./announce.ts";

const signal = AbortSignal.timeout(60_000);

async function simulateNews() {
  const sim = await simulateUpdate();
  const { run, source, outbox } = sim.options;
  return { ...sim, sim, telling: { ...run, ...source, outbox, forge: sim.forge } };
}

test("each end of a run is told once, with what it came to", async () => {
  const { sim, options, told, forge } = await simulateNews();
  const outcomes = async () => {
    told.length = 0;
    await safeUpdate(options, signal);
    return told.map(({ outcome, inputs, hosts: counts }) => [outcome, inputs, counts]);
  };
  expect(await outcomes()).toEqual([["landed", ["alpha", "beta"], { ok: hosts.length }]]);
  expect(await outcomes()).toEqual([["no-change", [], {}]]);

  sim.newest = { alpha: 2, beta: 3 };
  sim.verdict = ({ beta }, host) => (beta === 3 && host === "db" ? "build-failed" : "built");
  expect(await outcomes()).toEqual([["proposed", ["beta"], { ok: 1, regression: 1 }]]);
  expect(told[0]).toMatchObject({
    url: "https://git.example/home/fleet/pulls/1",
    pullRequests: [{ number: 1 }],
  });
  for (const pull of forge.pulls) pull.state = "closed";
  expect(await outcomes()).toEqual([["declined", ["beta"], { ok: 1, regression: 1 }]]);

  sim.verdict = () => "infra-failed";
  sim.newest = { alpha: 3, beta: 3 };
  expect(await outcomes()).toEqual([["failed", ["alpha", "beta"], { infra: 2 }]]);
});

test("a dry run tells nobody", async () => {
  const { options, told } = await simulateNews();
  await safeUpdate({ ...options, dryRun: true }, signal);
  expect(told).toEqual([]);
});

test("an error is told with the run that it ended, and without asking the forge", async () => {
  const { sim, options, told, journal, forge } = await simulateNews();
  sim.onList = () =>
    Promise.reject(new HomelabError("unavailable", "the daemon is away", { code: "NIX_DAEMON" }));
  await expect(safeUpdate(options, signal)).rejects.toThrow("the daemon is away");
  expect(told).toMatchObject([
    { outcome: "failed", reason: "the daemon is away", run: journal.last("started")?.run },
  ]);
  expect(told[0]).not.toHaveProperty("pullRequests");
  expect(forge.pulls).toEqual([]);
});

test("another run that is about it tells of itself, and who stops a run knows it", async () => {
  const { telling, told } = await simulateNews();
  await announceError(telling, new HomelabError("unavailable", "busy", { code: "UPDATE_RUNNING" }), signal);
  await announceError(telling, new Error("stopped"), AbortSignal.abort());
  expect(told).toEqual([]);
  // An error before there is a run has a name of its own.
  await announceError(telling, new Error("early"), signal);
  expect(told).toMatchObject([{ outcome: "failed", reason: "early", run: expect.any(String) }]);
});

test("a forge that does not say what is open keeps no news back", async () => {
  const { telling, told, forge } = await simulateNews();
  forge.pullRequests = () => Promise.reject(new Error("away"));
  await announce(telling, { outcome: "no-change", reason: "x".repeat(5000) }, signal);
  expect(told).toMatchObject([{ outcome: "no-change", reason: "x".repeat(1000) }]);
});
