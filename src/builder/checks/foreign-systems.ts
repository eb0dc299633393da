// What a host is told whose system nothing here builds for: who else has it, and what to do.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { BuilderBus } from "../../bus/bus.ts";
import { presence } from "../../protocol/builder-status.ts";
import type { BuilderName } from "../../protocol/names.ts";
import type { Decision } from "../decide-verdicts.ts";

export interface OtherBuilders {
  /** Those that are online and build for this system; undefined when it is unknown. Throws only for the signal. */
  buildersFor(system: string, signal: AbortSignal): Promise<readonly BuilderName[] | undefined>;
}

/** Verdicts wait no longer for it. */
const patienceMs = 3000;

export function createOtherBuilders({
  bus,
  name,
  clock,
  log,
}: {
  readonly bus: Pick<BuilderBus, "listBuilders">;
  /** Our own. */
  readonly name: BuilderName;
  readonly clock: Clock;
  readonly log: Log;
}): OtherBuilders {
  return {
    async buildersFor(system, signal) {
      const over = new AbortController();
      const until = AbortSignal.any([signal, over.signal]);
      try {
        const late = clock.sleep(patienceMs, until).then(() => undefined);
        const statuses = await Promise.race([bus.listBuilders(until), late]);
        const now = clock.now().getTime();
        return statuses?.flatMap((status) =>
          status.name !== name &&
          status.systems.includes(system) &&
          now - Date.parse(status.at) <= presence.goneAfterMs
            ? [status.name]
            : [],
        );
      } catch (error) {
        signal.throwIfAborted();
        log.debug({ err: error }, "other builders are not known");
        return undefined;
      } finally {
        over.abort();
      }
    },
  };
}

/** Adds to the reason of each host without a builder who else has its system. Others stay as they are. */
export async function explainForeign<Work>(
  decisions: ReadonlyMap<Work, Decision>,
  others: OtherBuilders | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<Work, Decision>> {
  const systems = new Set(
    [...decisions.values()].map(foreignSystemOf).filter((system) => system !== undefined),
  );
  if (systems.size === 0) return decisions;
  const having = new Map<string, readonly BuilderName[] | undefined>();
  for (const system of systems) having.set(system, await others?.buildersFor(system, signal));
  return new Map(
    [...decisions].map(([work, decision]) => {
      const system = foreignSystemOf(decision);
      if (system === undefined || decision.type !== "verdict") return [work, decision];
      const reason = foreignReason(decision.reason ?? "", having.get(system));
      return [work, { ...decision, reason }];
    }),
  );
}

const foreignSystemOf = (decision: Decision): string | undefined =>
  decision.type === "verdict" ? decision.foreignSystem : undefined;

const mostNamed = 5;
const remedy =
  "add a remote builder to nix.conf or emulate the system, see docs/guides/scaling.md#other-systems";

/** One line. */
export function foreignReason(reason: string, others: readonly BuilderName[] | undefined): string {
  if (others === undefined) return `${reason}: ${remedy}`;
  if (others.length === 0) return `${reason} (no other builder that is online has it): ${remedy}`;
  const more = others.length > mostNamed ? ` and ${others.length - mostNamed} more` : "";
  const named = `${others.slice(0, mostNamed).join(", ")}${more}`;
  return `${reason} (${named} ${others.length === 1 ? "has it and is" : "have it and are"} online): ${remedy}`;
}
