// A Nix for tests of the engine: hosts are data, evaluations and builds last until the test lets them go or at
// once. What real Nix does is tested with real Nix; here only the order of things matters.
import type { EvaluationEvent, EvaluationFailure, Evaluator } from "../../src/nix/evaluator.ts";
import type { GcRoots } from "../../src/nix/gc-roots.ts";
import type {
  FailureAnalysis,
  FailureCause,
  NixActivity,
  Realiser,
  RealiseResult,
} from "../../src/nix/realiser.ts";
import type { Store } from "../../src/nix/store.ts";
import type { HostName, StorePath } from "../../src/protocol/names.ts";

export interface FakeHost {
  /** How its evaluation ends; evaluated when absent. `infra` fails once and is then evaluated. */
  readonly evaluation?: "throw" | "crash" | "infra" | "infra-always" | "time-out";
  /** Default `x86_64-linux`, the only one that is built for. */
  readonly system?: string;
  /**
   * How its build ends; built when absent. `fail-shared` fails by a derivation that all such hosts need; `infra`
   * fails once and then builds. `hook-fails` builds, and then the post-build-hook fails and ends Nix; `hook-hangs`
   * builds, and then Nix waits for the hook until it is ended. `stops` ends the process with
   * all that it builds, and `stops-unnamed` by an error that does not say of what it is.
   */
  readonly build?:
    | "hook-fails"
    | "hook-hangs"
    | "fail"
    | "fail-shared"
    | "infra"
    | "infra-always"
    | "present"
    | "stops"
    | "stops-unnamed";
}

export interface FakeNix extends Evaluator, Store, Realiser {
  /** Hosts of each evaluator process, in the order of starting. */
  readonly evaluations: HostName[][];
  /** Derivations of each build process. */
  readonly realised: StorePath[][];
  readonly validityQuestions: StorePath[][];
  readonly gcRoots: GcRoots;
  /** Paths that were protected, in order. */
  readonly protectedPaths: StorePath[];
  /** From now on evaluations (or builds) wait for a release. */
  hold(kind: "evaluate" | "realise"): { release(count?: number): void };
}

const infra: EvaluationFailure = { cause: "infra", message: "the daemon is gone", details: "" };
const failures: Readonly<Record<NonNullable<FakeHost["evaluation"]>, EvaluationFailure>> = {
  infra,
  "infra-always": infra,
  throw: { cause: "error", message: "the host throws", details: "trace", isOwn: true },
  crash: { cause: "error", message: "evaluation crash", details: "trace", isOwn: true },
  "time-out": { cause: "timed-out", message: "evaluation time-out", details: "trace" },
};

const hash = (text: string): string => {
  const digits = "0123456789abcdfghijklmnpqrsvwxyz";
  let value = 7;
  let result = "";
  for (let i = 0; i < 32; i++) {
    value = (value * 31 + (text.charCodeAt(i % Math.max(1, text.length)) || 1) + i) % 1_000_003;
    result += digits.charAt(value % 32);
  }
  return result;
};
export const fakeDrv = (host: string): StorePath =>
  `/nix/store/${hash(host)}-nixos-system-${host}.drv` as StorePath;
export const fakeOut = (host: string): StorePath =>
  `/nix/store/${hash(host)}-nixos-system-${host}` as StorePath;

const hostOf = (path: string): string => path.replace(/^.*-nixos-system-/, "").replace(/\.drv$/, "");

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });

export function createFakeNix(hosts: ReadonlyMap<string, FakeHost>): FakeNix {
  const valid = new Set<StorePath>();
  const transient = new Set<string>();
  const gates = new Map<string, { waiting: (() => void)[]; open: number }>();
  for (const [host, { build }] of hosts) if (build === "present") valid.add(fakeOut(host));

  const modeOf = (drvPath: StorePath): FakeHost["build"] => hosts.get(hostOf(drvPath))?.build;

  const culpritOf = (top: StorePath): StorePath =>
    hosts.get(hostOf(top))?.build === "fail-shared" ? fakeDrv("shared") : top;

  async function gate(kind: string, signal: AbortSignal): Promise<void> {
    const held = gates.get(kind);
    if (held === undefined) return;
    if (held.open > 0) {
      held.open--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    held.waiting.push(resolve);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    await promise;
  }

  const fake: FakeNix = {
    version: "2.34.8",
    systems: ["x86_64-linux"],
    machines: [],
    machinesToSpare: () => [],
    choosesMachines: true,
    slots: { here: 2, remote: 0 },
    storeDirectory: "/nix/store",
    evaluations: [],
    realised: [],
    validityQuestions: [],
    protectedPaths: [],
    gcRoots: {
      async protect(roots) {
        fake.protectedPaths.push(...roots.map((root) => root.outPath));
      },
      use: async () => new AsyncDisposableStack(),
      list: async () => [],
      drop: async () => "dropped",
      pin: async () => true,
    },
    hold(kind) {
      const held = { waiting: [] as (() => void)[], open: 0 };
      gates.set(kind, held);
      return {
        release(count = Number.POSITIVE_INFINITY) {
          for (let i = 0; i < count; i++) {
            const wake = held.waiting.shift();
            if (wake === undefined) {
              held.open += count - i;
              return;
            }
            wake();
          }
        },
      };
    },
    listHosts: async () => [...hosts.keys()],
    async *evaluate(_, names, __, signal): AsyncGenerator<EvaluationEvent> {
      fake.evaluations.push([...names]);
      await gate("evaluate", signal);
      for (const host of names) {
        yield { type: "begun", host };
        const mode = hosts.get(host)?.evaluation;
        const isTransient = mode === "infra" && !transient.has(`evaluate ${host}`);
        transient.add(`evaluate ${host}`);
        if (mode !== undefined && (mode !== "infra" || isTransient)) {
          yield { type: "failed", hosts: [host], failure: failures[mode] };
          return;
        }
        const system = hosts.get(host)?.system ?? "x86_64-linux";
        const evaluation = { drvPath: fakeDrv(host), outPath: fakeOut(host), system, warnings: [] };
        yield { type: "evaluated", host, evaluation };
      }
    },
    async validPaths(paths) {
      fake.validityQuestions.push([...paths]);
      return new Set(paths.filter((path) => valid.has(path)));
    },
    async realise(drvPaths, _, onActivity, signal): Promise<RealiseResult> {
      fake.realised.push([...drvPaths]);
      const result = {
        exitCode: 0,
        killedBy: undefined,
        messages: [],
        started: new Map(),
        outOfMemoryKills: 0,
      };
      const say = async (activity: NixActivity): Promise<void> => onActivity(activity, async () => result);
      for (const drvPath of drvPaths) {
        await say({ type: "derivation-started", drvPath });
        await say({ type: "log-lines", drvPath, lines: [`building ${hostOf(drvPath)}`] });
      }
      await gate("realise", signal);
      const isStopped = drvPaths.some((drvPath) => modeOf(drvPath)?.startsWith("stops"));
      for (const drvPath of isStopped ? [] : drvPaths) {
        const host = hostOf(drvPath);
        const mode = hosts.get(host)?.build;
        if (mode === "hook-fails" || mode === "hook-hangs") {
          valid.add(fakeOut(host));
          await say({ type: "hook-started", drvPath });
          await say({ type: "log-lines", drvPath, lines: ["post-build-hook: 503 Service Unavailable"] });
          if (mode === "hook-hangs") await untilAborted(signal);
          await say({ type: "hook-stopped", drvPath });
          await say({ type: "derivation-stopped", drvPath });
          const text = "error: program '/etc/nix/upload' failed with exit code 1";
          return { ...result, exitCode: 1, messages: [{ level: 0, text, authentic: true }] };
        }
        if (mode === undefined || mode === "present" || (mode === "infra" && transient.has(host)))
          valid.add(fakeOut(host));
        transient.add(host);
        await say({ type: "derivation-stopped", drvPath });
      }
      return result;
    },
    async readDerivation() {
      return { outputs: new Map(), inputDrvs: new Map(), system: "x86_64-linux" };
    },
    present: async (path) => path.endsWith(".drv") || valid.has(path),
    async readLog(drvPath, onChunk) {
      await onChunk(new TextEncoder().encode(`building ${hostOf(drvPath)}\nit broke\n`));
    },
    probeSubstituters: async () => ({ use: undefined, dead: [] }),
    async findFailures(tops, { apart }): Promise<FailureAnalysis> {
      const causes = new Map<StorePath, FailureCause>();
      const isStopped = tops.some((top) => modeOf(top)?.startsWith("stops"));
      const isUnnamed = tops.some((top) => modeOf(top) === "stops-unnamed") && apart === undefined;
      for (const top of isStopped ? tops : []) {
        const kind = isUnnamed ? "unclear" : modeOf(top)?.startsWith("stops") ? "failed" : "interrupted";
        if (!valid.has(fakeOut(hostOf(top)))) causes.set(top, { kind, name: hostOf(top), reason: "stopped" });
      }
      for (const top of isStopped ? [] : tops) {
        const isOwn = hosts.get(hostOf(top))?.build?.startsWith("fail") === true;
        const culprit = culpritOf(top);
        causes.set(culprit, {
          kind: isOwn ? "failed" : "infra",
          name: `nixos-system-${hostOf(culprit)}`,
          reason: isOwn ? "builder failed with exit code 1" : "no space left on device",
        });
      }
      return { causes, brokenBy: new Map(tops.map((top) => [top, [culpritOf(top)]])) };
    },
    readClosure: async (path) => ({ paths: [{ path, size: 1 }], boot: {} }),
    readFacts: async (paths) =>
      new Map(
        paths.map((path) => [
          path,
          { path, narHash: `sha256:0${"1".repeat(51)}` as const, narSize: 1, references: [] },
        ]),
      ),
    readClosureFacts: async () => new Map(),
    unbuilt: async (top) => new Set([top, culpritOf(top)]),
  };
  return fake;
}
