import { expect, test } from "vitest";
import { hosts, simulateUpdate } from "../../../test/support/simulated-update.ts";
import { HomelabError } from "../../base/errors.ts";
import { safeUpdate } from "../safe-update.ts";
import { InputUnavailableError } from "../update-reachable.ts";
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

test("an input that cannot be had is told with every outcome, also when none can be reached", async () => {
  const { sim, options, told } = await simulateNews();
  let down: readonly string[] = ["beta"];
  const { updateLock } = options.source.upstream;
  const upstream = {
    ...options.source.upstream,
    updateLock: async (...[base, names, until]: Parameters<typeof updateLock>) => {
      const failing = down.find((name) => names?.includes(name) !== false);
      if (failing !== undefined) throw new InputUnavailableError(failing, `${failing} is gone`, {}, "failed");
      return updateLock(base, names, until);
    },
  };
  const update = async () => safeUpdate({ ...options, source: { ...options.source, upstream } }, signal);
  const gone = (input: string, runs: number) => ({
    input,
    reason: `${input} is gone`,
    runs,
    needsPerson: true,
  });
  await update();
  await update();
  down = ["beta", "alpha"];
  sim.newest = { alpha: 3, beta: 3 };
  await expect(update()).rejects.toMatchObject({ kind: "failed", code: "INPUT_UPDATE_FAILED" });
  down = [];
  await update();
  expect(told.map(({ outcome, unavailable }) => [outcome, unavailable])).toEqual([
    ["landed", [gone("beta", 1)]],
    ["no-change", [gone("beta", 2)]],
    ["failed", [gone("beta", 3), gone("alpha", 1)]],
    ["landed", []],
  ]);
});

test("a dry run tells nobody", async () => {
  const { sim, options, told } = await simulateNews();
  sim.buildsLocally = true;
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
