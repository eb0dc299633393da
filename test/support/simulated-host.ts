// A machine in memory that is deployed to: links, units, profile and boot loader behave as on NixOS, and closures misbehave
// as they are told. It can be killed and lose its power at any line of its journal and in the middle of a switch.
import type { ClosureFetcher } from "../../src/host/closure-fetcher.ts";
import type { SwitchResult, System, UnitState } from "../../src/host/system.ts";
import type { Journal, JournalHead, JournalLine } from "../../src/deploy/journal.ts";
import type { Mail, Mailbox, Refused } from "../../src/deploy/mailbox.ts";
import { memoryOf } from "../../src/deploy/host-memory.ts";
import { runDeployments } from "../../src/deploy/run-deployments.ts";
import { HomelabError } from "../../src/base/errors.ts";
import { encodeHostPolicy, hostPolicyFile, type HostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import type { HostName, RepoName, StorePath } from "../../src/protocol/names.ts";
import { createVirtualClock } from "./virtual-clock.ts";

export interface SimulatedClosure {
  readonly path: StorePath;
  readonly policy: HostPolicy | undefined;
  /** How `test` goes. `half`: dies between /etc and the link of what runs. */
  readonly test?: "ok" | "hang" | "half" | "to-be-booted" | "untouched" | "lie" | "broken-pipe";
  readonly boot?: "ok" | "fails" | "lies" | "hangs";
  /** Units that run while it is active. */
  readonly units?: readonly string[];
  /** Units that fail once it is active. */
  readonly failing?: readonly string[];
  /** Units of its own that do not come up, without failing. */
  readonly lost?: readonly string[];
  /** Units of it that a switch starts, or somebody, and no boot. */
  readonly byHand?: readonly string[];
  /** How long a boot takes to start its units. */
  readonly bootMs?: number;
  readonly reachesNats?: boolean;
  /** Nothing at all is reached while it runs. */
  readonly cutsNetwork?: boolean;
  readonly healthy?: boolean;
  readonly fetch?: "NOT_CACHED" | "NO_SPACE" | "UNSIGNED";
  readonly nixosVersion?: string;
  /** The machine refuses to make it the newest generation. */
  readonly profileRefused?: boolean;
}

export class PowerCut extends Error {}
export class Killed extends Error {}

export interface Trouble {
  readonly kind: "kill" | "power-cut";
  /** After so many lines of the journal, or in the switch that comes next after them. */
  readonly afterLines: number;
  readonly inSwitch: boolean;
}

export interface SimulatedHostOptions {
  readonly repo: RepoName;
  readonly host: HostName;
  readonly closures: readonly SimulatedClosure[];
  readonly initial: StorePath;
  /** Whether NATS itself is up at this time (ms since the start). */
  readonly natsIsUp?: (ms: number) => boolean;
  readonly natsUnits?: readonly string[];
}

export function createSimulatedHost(options: SimulatedHostOptions) {
  const clock = createVirtualClock();
  const closures = new Map(options.closures.map((closure) => [closure.path, closure]));
  const natsIsUp = options.natsIsUp ?? (() => true);
  const closureOf = (path: StorePath): SimulatedClosure => {
    const found = closures.get(path);
    if (found === undefined) throw new Error(`${path} is not in the store`);
    return found;
  };

  // On the disk.
  let generations = [{ generation: 1, path: options.initial }];
  let current = 1;
  let bootDefault = options.initial;
  let head: JournalHead = {
    nextIndex: 0,
    serial: 0,
    firstStart: "2026-11-01T00:00:00.000Z",
    completed: [],
    isStuck: false,
  };
  const lines: JournalLine[] = [];
  const roots = new Set<string>();
  // Until the next boot.
  let bootCount = 1;
  let running = options.initial;
  let etc = options.initial;
  let booted = options.initial;
  let leftLists = false;
  let units = new Map<string, string>();
  let mail: Mail | undefined;
  let refused: Refused[] = [];
  let isCleared = false;
  let isBusy = false;
  // Of the test.
  let trouble: Trouble | undefined;
  const log: string[] = [];
  let wantsReboot = false;
  /** When a boot under way has started all units; 0 for none. */
  let upAt = 0;

  const permanentPath = (): StorePath =>
    generations.find(({ generation }) => generation === current)?.path ?? options.initial;

  function bringUp(path: StorePath): void {
    const { units: wanted = [], failing = [], lost = [] } = closureOf(path);
    units = new Map(wanted.map((name) => [name, "active"]));
    for (const name of lost) units.set(name, "inactive");
    for (const name of failing) units.set(name, "failed");
  }
  bringUp(options.initial);

  function bringUpAfterBoot(): void {
    upAt = 0;
    bringUp(running);
    for (const name of closureOf(running).byHand ?? []) units.set(name, "inactive");
  }

  function strike(isInSwitch: boolean): void {
    if (trouble === undefined || lines.length < trouble.afterLines || trouble.inSwitch !== isInSwitch) return;
    const { kind } = trouble;
    trouble = undefined;
    log.push(kind);
    throw kind === "kill" ? new Killed("killed") : new PowerCut("no power");
  }

  function testSwitch(path: StorePath): SwitchResult {
    const closure = closureOf(path);
    const answer = (exitCode: number | undefined, output = ""): SwitchResult => ({
      exitCode,
      timedOut: exitCode === undefined,
      output,
      leftLists,
    });
    switch (closure.test ?? "ok") {
      case "to-be-booted":
        return answer(100, "switch inhibitors changed");
      case "untouched":
        return answer(1, "could not read the configuration");
      case "lie":
        return answer(0);
      case "hang":
      case "half":
      case "broken-pipe":
        etc = path;
        leftLists = true;
        for (const name of units.keys()) units.set(name, "inactive");
        strike(true);
        if (closure.test === "hang") return answer(undefined, "stopping the following units: a.service");
        return closure.test === "half"
          ? answer(2, "stopping the following units: a.service\nFailed to run activate script")
          : answer(101, "stopping the following units: a.service");
      case "ok":
        etc = path;
        for (const name of units.keys()) units.set(name, "inactive");
        leftLists = true;
        strike(true);
        bringUp(path);
        running = path;
        leftLists = false;
        return answer((closure.failing ?? []).length > 0 ? 4 : 0, "activating the configuration...");
    }
  }

  const system: System = {
    readPaths: async () => ({
      running,
      etcStatic: `${etc}/etc`,
      booted,
      permanent: { path: permanentPath(), generation: current },
      bootDefault,
      bootId: `boot-${bootCount}`,
    }),
    etcOf: async (path) => `${path}/etc`,
    readUnits: async () =>
      [...units].map(([name, active]): UnitState => ({
        name,
        names: [name],
        active,
        sub: active === "active" ? "running" : active,
        result: active === "failed" ? "exit-code" : "success",
        type: "simple",
        restarts: 0,
        isTriggered: false,
        isWanted: closureOf(running).byHand?.includes(name) !== true,
      })),
    unitsOf: async (path) => {
      const { policy, units: own = [] } = closureOf(path);
      return new Set([...own, ...(policy === undefined ? [] : [policy.listenerUnit])]);
    },
    whyBusy: async () => (isBusy ? "nixos-rebuild runs" : undefined),
    async isBooting() {
      if (clock.monotonic() < upAt) return true;
      if (upAt > 0) bringUpAfterBoot();
      return false;
    },
    async switchTo(path, action, timeoutMs, signal) {
      log.push(`${action} ${path}`);
      if (action === "check") return { exitCode: 1, timedOut: false, output: "Usage: …", leftLists: false };
      if (action === "test") {
        const result = testSwitch(path);
        await clock.sleep(result.timedOut ? timeoutMs : 500, signal);
        return result;
      }
      strike(true);
      const how = closureOf(path).boot ?? "ok";
      // A boot loader only knows generations of the profile.
      if (how === "ok" && permanentPath() === path) bootDefault = path;
      if (how === "hangs") await clock.sleep(timeoutMs, signal);
      return {
        exitCode: how === "fails" ? 1 : how === "hangs" ? undefined : 0,
        timedOut: how === "hangs",
        output: how === "fails" ? "no space left" : "",
        leftLists: false,
      };
    },
    cancelJobs: async () => {},
    async startUnits(names) {
      for (const name of names) if (units.has(name)) units.set(name, "active");
    },
    async setProfile(path) {
      if (closureOf(path).profileRefused === true) {
        throw new HomelabError("unavailable", "no space left on device", { code: "HOST_COMMAND_FAILED" });
      }
      log.push(`profile ${path}`);
      current = Math.max(...generations.map(({ generation }) => generation)) + 1;
      generations = [...generations, { generation: current, path }];
    },
    async switchGeneration(generation) {
      current = generation;
    },
    listGenerations: async () => generations,
    async deleteGenerations(gone) {
      if (gone.includes(current)) throw new Error("that is the current generation");
      generations = generations.filter(({ generation }) => !gone.includes(generation));
    },
    tidyBootLoader: async () => {},
    whyNotBootDefault: async (path) => (bootDefault === path ? undefined : `it would boot ${bootDefault}`),
    bootRoom: async () => ({ free: 2 ** 30, needed: 0 }),
    rebootParts: async () => [],
    whyInhibited: async () => undefined,
    isProgramOf: async () => true,
    hasProgram: async () => true,
    async readFile(path, name) {
      const { policy, nixosVersion = "26.05.20261101.abcdef0" } = closureOf(path);
      if (name === hostPolicyFile) return policy === undefined ? undefined : encodeHostPolicy(policy);
      if (name === "nixos-version") return new TextEncoder().encode(nixosVersion);
      return name === "system" ? new TextEncoder().encode("x86_64-linux") : undefined;
    },
    async reboot() {
      wantsReboot = true;
    },
  };

  const fetcher: ClosureFetcher = {
    async plan({ path, root }) {
      roots.add(root);
      const code = closureOf(path).fetch;
      if (code !== undefined) throw new HomelabError("unavailable", `it is ${code}`, { code });
      return { paths: 3, bytes: 1000 };
    },
    fetch: async (_, signal) => clock.sleep(5_000, signal),
    dropRoot: async (root) => void roots.delete(root),
    listRoots: async () => [...roots],
  };

  const memory = () => memoryOf(head, lines);
  const reaches = (): boolean => {
    const { reachesNats = true, cutsNetwork = false } = closureOf(running);
    return reachesNats && !cutsNetwork && natsIsUp(clock.monotonic()) && running === etc;
  };
  const mailbox: Mailbox = {
    readOrder: async () => mail,
    async dropOrder(read) {
      if (mail === read) mail = undefined;
    },
    takeRefused: async () => refused.shift(),
    async takeCleared() {
      const was = isCleared;
      isCleared = false;
      return was;
    },
    async readConfirmation() {
      const deployment = memory().current;
      return deployment === undefined || !reaches()
        ? undefined
        : { order: deployment.order.id, epoch: deployment.epoch };
    },
    async readNetwork() {
      const { cutsNetwork = false } = closureOf(running);
      const isUp = natsIsUp(clock.monotonic());
      return { oldNats: isUp && !cutsNetwork, witnesses: cutsNetwork ? [] : ["http://cache"] };
    },
  };

  const journal = (): Journal => ({
    head,
    lines: [...lines],
    async append({ event, ...kept }) {
      const place = {
        repo: options.repo,
        host: options.host,
        index: memory().nextIndex,
        at: clock.now().toISOString(),
      };
      const line: JournalLine = { v: 1, event: { ...event, ...place }, bootId: `boot-${bootCount}`, ...kept };
      lines.push(line);
      log.push(event.type);
      strike(false);
      return line;
    },
  });

  function boot(): void {
    wantsReboot = false;
    bootCount++;
    [running, etc, booted] = [bootDefault, bootDefault, bootDefault];
    leftLists = false;
    mail = undefined;
    refused = [];
    const { bootMs = 0 } = closureOf(running);
    upAt = clock.monotonic() + bootMs;
    if (bootMs === 0) bringUpAfterBoot();
    else units = new Map((closureOf(running).units ?? []).map((name) => [name, "inactive"]));
    log.push(`boot ${running}`);
  }

  /** Runs until nothing is left to do, through everything that strikes it. */
  async function settle(): Promise<void> {
    for (let round = 0; round < 30; round++) {
      const policy = closureOf(running).policy ?? closureOf(options.initial).policy;
      if (policy === undefined) throw new Error("the first system needs a policy");
      try {
        await runDeployments(
          {
            system,
            fetcher,
            mailbox,
            clock,
            policy,
            journal: journal(),
            probe: async () => ({ ok: closureOf(running).healthy ?? true }),
          },
          new AbortController().signal,
        );
      } catch (error) {
        if (error instanceof PowerCut) boot();
        else if (!(error instanceof Killed)) throw error;
        continue;
      }
      if (!wantsReboot) return;
      boot();
    }
    throw new Error("it does not come to an end");
  }

  return {
    clock,
    system,
    settle,
    boot,
    memory,
    lines,
    log,
    roots: () => [...roots],
    put: (envelope: Uint8Array, isByRoot = false) => void (mail = { envelope, isByRoot }),
    setBusy: (busy: boolean) => void (isBusy = busy),
    clear: () => void (isCleared = true),
    refuse: (note: Refused) => void refused.push(note),
    strikeAt: (next: Trouble) => void (trouble = next),
    setHead: (next: Partial<JournalHead>) => void (head = { ...head, ...next }),
    state: () => ({ running, etc, booted, permanent: permanentPath(), bootDefault, generations, units }),
    setRunning(path: StorePath) {
      [running, etc] = [path, path];
      bringUp(path);
    },
  };
}
