// A bug in homelab-deploy is neither a failed host nor a fault of the infrastructure: it ends what it met, at once,
// under its own name, and its stack is in the log.
import { afterEach, expect, test, vi } from "vitest";
import { startRig, verdictsOf, type BuilderRig, type RigOptions } from "../../test/support/builder-rig.ts";
import type { FakeNix } from "../../test/support/fake-nix.ts";
import { silentLog } from "../base/log.ts";
import { systemClock, type Clock } from "../base/clock.ts";
import { createMemoryBus } from "../bus/memory-bus.ts";
import { hasBug } from "./record/end-build.ts";
import type { Evaluator } from "../nix/evaluator.ts";
import { statusOf } from "../protocol/build-state.ts";
import { exitCodeOf } from "../protocol/exit-codes.ts";
import type { StorePath } from "../protocol/names.ts";
import { outcomeOf } from "../protocol/verdicts.ts";

interface Logged {
  readonly err?: unknown;
  readonly message: string;
}

const bug = new TypeError("cannot read properties of undefined");
const meetBug = (): Promise<never> => Promise.reject(bug);

const rigs: BuilderRig[] = [];
async function rig(options: RigOptions = {}): Promise<BuilderRig & { readonly logged: readonly Logged[] }> {
  const logged: Logged[] = [];
  const log = {
    ...silentLog,
    error: (fields: object, message: string) => void logged.push({ ...fields, message }),
  };
  const started = await startRig({ ...options, overrides: { log, ...options.overrides } });
  rigs.push(started);
  return Object.assign(started, { logged });
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

test.each([
  "evaluate",
  "validPaths",
  "present",
  "unbuilt",
  "probeSubstituters",
  "realise",
  "findFailures",
] as const satisfies readonly (keyof FakeNix)[])(
  "a bug in %s ends the host, and is not retried",
  async (name) => {
    const { nix, ask, verdict, events, logged } = await rig({
      repos: { homelab: { web: { build: "fail" }, late: { build: "fail-shared" } } },
    });
    if (name === "unbuilt") await verdict(await ask("homelab/web"));
    const method = vi.fn<typeof meetBug>(meetBug);
    // With failures known from before, they are looked for in what a host needs.
    if (name === "unbuilt") Object.assign(nix, { unbuilt: method, findFailures: meetBug });
    else if (name === "evaluate") {
      const evaluate: Evaluator["evaluate"] = async function* () {
        yield await meetBug();
      };
      Object.assign(nix, { evaluate });
    } else Object.assign(nix, { [name]: method });
    const id = await ask("homelab/late");
    const state = await verdict(id);

    expect(verdictsOf(state)).toEqual({ late: "infra-failed" });
    const [late] = state.hosts.values();
    expect(late?.finished).toMatchObject({ code: "INTERNAL", reason: `internal error: ${bug.message}` });
    expect(late?.finished && outcomeOf(late.finished)).toBe("internal-error");
    expect(state.code).toBe("INTERNAL");
    expect(exitCodeOf("internal-error")).toBe(70);
    expect((await events(id)).map(({ type }) => type)).not.toContain("retrying");
    expect(logged).toEqual([expect.objectContaining({ err: bug })]);
  },
);

test("a bug in the protection of outputs ends the host", async () => {
  const { nix, ask, verdict, logged } = await rig();
  Object.assign(nix.gcRoots, { protect: meetBug });
  expect(statusOf(await verdict(await ask("homelab/all")))).toBe("internal-error");
  expect(logged).toEqual([expect.objectContaining({ err: bug })]);
});

test("a bug in the proof of serving ends the host", async () => {
  const { ask, verdict, logged } = await rig({ overrides: { servingProof: { findUnserved: meetBug } } });
  expect(statusOf(await verdict(await ask("homelab/all")))).toBe("internal-error");
  expect(logged).toEqual([expect.objectContaining({ err: bug })]);
});

test("a bug that one host meets leaves the others their verdicts", async () => {
  const { nix, ask, verdict } = await rig({
    repos: { homelab: { good: {}, broken: { evaluation: "crash" }, odd: {} } },
    batchSize: 1,
  });
  const evaluate = nix.evaluate.bind(nix);
  const meeting: Evaluator["evaluate"] = async function* (source, hosts, ...rest) {
    if (hosts[0] === "odd") await meetBug();
    yield* evaluate(source, hosts, ...rest);
  };
  Object.assign(nix, { evaluate: meeting });
  const state = await verdict(await ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ good: "built", broken: "eval-failed", odd: "infra-failed" });
  // The wire says failed, but to anyone who knows the code this is not a red build: part of it is our fault.
  expect([state.status, statusOf(state)]).toEqual(["failed", "internal-error"]);
});

test.each(["listHosts", "open"] as const)("a bug in %s ends the request", async (name) => {
  const { nix, memory, ask, verdict, logged } = await rig();
  Object.assign(name === "open" ? memory : nix, { [name]: meetBug });
  const state = await verdict(await ask("homelab/all"));
  expect(state).toMatchObject({ status: "infra-failed", code: "INTERNAL", hosts: new Map() });
  expect(state.reason).toBe(`internal error: ${bug.message}`);
  expect(logged).toEqual([expect.objectContaining({ err: bug })]);
});

test("a bug in a reader of events ends the build, and the builder goes on", async () => {
  let isBroken = true;
  const { ask, verdict, logged } = await rig({
    overrides: {
      onStored: (event) => {
        if (isBroken && event.type === "evaluated") throw bug;
      },
    },
  });
  const state = await verdict(await ask("homelab/all"));
  expect(statusOf(state)).toBe("internal-error");
  expect(verdictsOf(state)).toEqual({ testvm01: "infra-failed" });
  expect(logged).toEqual([expect.objectContaining({ err: bug })]);
  isBroken = false;
  expect((await verdict(await ask("homelab/all"))).status).toBe("succeeded");
});

test("a bug in a loop of the engine ends the builds that are open, and the loop starts again", async () => {
  let isBroken = false;
  const clock: Clock = {
    ...systemClock,
    monotonic() {
      const meetsBug = isBroken;
      isBroken = false;
      if (meetsBug) throw bug;
      return systemClock.monotonic();
    },
  };
  const { nix, ask, verdict, logged } = await rig({ overrides: { clock } });
  const present = nix.present.bind(nix);
  // The next to look at the clock is the lane, before it starts a process.
  Object.assign(nix, {
    present: async (path: StorePath) => {
      isBroken = path.endsWith(".drv");
      return present(path);
    },
  });
  expect(statusOf(await verdict(await ask("homelab/all")))).toBe("internal-error");
  Object.assign(nix, { present });
  expect((await verdict(await ask("homelab/all"))).status).toBe("succeeded");
  expect(logged).toEqual([expect.objectContaining({ err: bug, message: "a bug ended the work on hosts" })]);
});

test("a bug while a build is resumed ends it", async () => {
  const bus = createMemoryBus(systemClock);
  const first = await startRig({ bus, name: "cache01" });
  first.nix.hold("evaluate");
  const id = await first.ask("homelab/all");
  await expect.poll(async () => (await first.events(id)).length).toBe(1);
  await first.stop();

  const second = await rig({ bus, name: "cache01", memory: { open: meetBug, prune: async () => undefined } });
  const state = await second.verdict(id);
  expect(statusOf(state)).toBe("internal-error");
  expect(hasBug(state)).toBe(true);
  expect(second.logged).toEqual([expect.objectContaining({ err: bug })]);
});

test("what the system refuses is a fault of the surroundings, and is retried", async () => {
  const { nix, ask, verdict, events, logged } = await rig();
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  Object.assign(nix.gcRoots, { protect: () => Promise.reject(full) });
  const id = await ask("homelab/all");
  const state = await verdict(id);
  expect([state.status, state.code]).toEqual(["infra-failed", undefined]);
  expect((await events(id)).map(({ type }) => type)).toContain("retrying");
  expect(logged).toEqual([]);
});
