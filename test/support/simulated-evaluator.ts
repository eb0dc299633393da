// An evaluator in memory, for tests of the pool: it takes the time and the memory of its hosts, keeps both for what they
// share, and ends as Nix does.
import type { Clock } from "../../src/base/clock.ts";
import type { EvaluationEvent, EvaluationFailure, Evaluator } from "../../src/nix/evaluator.ts";
import type { HostName } from "../../src/protocol/names.ts";
import { fakeDrv, fakeOut } from "./fake-nix.ts";

export interface SimulatedHost {
  readonly ms: number;
  readonly bytes: number;
  /**
   * `throws`: fails by its own words. `crashes`: takes the process with it each time. `hangs`: until the time limit. `needs`:
   * something that is away for the first so many times.
   */
  readonly fate?: "throws" | "crashes" | "hangs" | { readonly needs: number };
}

export interface SimulatedWorld {
  /** By the commit of their flake, in hexadecimal. */
  readonly flakes: ReadonlyMap<
    string,
    {
      readonly shared: { readonly ms: number; readonly bytes: number };
      readonly hosts: ReadonlyMap<string, SimulatedHost>;
    }
  >;
  readonly clock: Clock;
  /** Whether something from outside kills the process now. */
  readonly killed: () => boolean;
  /** Whether what it says of a host is lost. */
  readonly loses: () => boolean;
}

export interface SimulatedEvaluator extends Pick<Evaluator, "evaluate"> {
  /** Of every process, the hosts that it began. */
  readonly processes: HostName[][];
  readonly most: { processes: number; bytes: number };
  running(): number;
  /** When each host was begun, on the monotonic clock; the last time. */
  readonly begun: ReadonlyMap<string, number>;
}

export function createSimulatedEvaluator({
  flakes,
  clock,
  killed,
  loses,
}: SimulatedWorld): SimulatedEvaluator {
  const processes: HostName[][] = [];
  const begun = new Map<string, number>();
  const most = { processes: 0, bytes: 0 };
  const held = new Map<object, number>();
  const away = new Map<SimulatedHost, number>();

  return {
    processes,
    begun,
    most,
    running: () => held.size,
    async *evaluate(source, names, { timeoutMs, maxMemoryBytes }, signal): AsyncGenerator<EvaluationEvent> {
      const flake = flakes.get(source.commit);
      if (flake === undefined) throw new Error(`no flake at ${source.commit}`);
      const begunHere: HostName[] = [];
      processes.push(begunHere);
      const hold = (bytes: number): void => {
        held.set(begunHere, bytes);
        most.processes = Math.max(most.processes, held.size);
        most.bytes = Math.max(
          most.bytes,
          [...held.values()].reduce((sum, each) => sum + each),
        );
      };
      let bytes = flake.shared.bytes;
      hold(bytes);
      try {
        for (const host of names) {
          const isFirst = begunHere.length === 0;
          const world = flake.hosts.get(host);
          if (world === undefined) throw new Error(`no host ${host}`);
          yield { type: "begun", host };
          begunHere.push(host);
          begun.set(host, clock.monotonic());
          const ms = world.fate === "hangs" ? timeoutMs : world.ms + (isFirst ? flake.shared.ms : 0);
          const needed = bytes + world.bytes;
          hold(Math.min(needed, maxMemoryBytes));
          await clock.sleep(ms, signal);
          const missing = away.get(world) ?? (typeof world.fate === "object" ? world.fate.needs : 0);
          const end = (cause: EvaluationFailure["cause"], message: string): EvaluationEvent => ({
            type: "failed",
            hosts: [host],
            failure: { cause, message: `${host}: ${message}`, details: "", isOwn: cause === "error" },
          });
          const wasKilled = killed();
          if (wasKilled || needed > maxMemoryBytes || world.fate === "crashes") {
            if (!isFirst) yield { type: "undecided", host, reason: "the process is gone" };
            else if (wasKilled) yield end("infra", "killed");
            else yield world.fate === "crashes" ? end("error", "crashes") : end("out-of-memory", "too large");
            return;
          }
          if (world.fate === "throws") yield end("error", "throws");
          else if (world.fate === "hangs") yield end("timed-out", "hangs");
          else if (missing > 0) {
            away.set(world, missing - 1);
            yield end("infra", "a server is away");
          } else {
            bytes = needed;
            if (loses()) continue;
            const evaluation = { drvPath: fakeDrv(host), outPath: fakeOut(host), system: "x", warnings: [] };
            yield { type: "evaluated", host, evaluation, heldBytes: bytes };
            continue;
          }
          return;
        }
      } finally {
        held.delete(begunHere);
      }
    },
  };
}
