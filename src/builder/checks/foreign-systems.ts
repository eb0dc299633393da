// What a host is told whose system nothing here builds for: who else has it, and what to do.
import type { BuilderName } from "../../protocol/names.ts";
import type { Decision } from "../decide-verdicts.ts";
import type { OtherBuilders } from "../other-builders.ts";

/** Adds to the reason of each host without a builder who else has its system. Others stay as they are. */
export async function explainForeign<Work>(
  decisions: ReadonlyMap<Work, Decision>,
  others: OtherBuilders | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<Work, Decision>> {
  if (![...decisions.values()].some((decision) => foreignSystemOf(decision) !== undefined)) return decisions;
  const online = await others?.online(signal);
  return new Map(
    [...decisions].map(([work, decision]) => {
      const system = foreignSystemOf(decision);
      if (system === undefined || decision.type !== "verdict") return [work, decision];
      const having = online?.others.filter(({ systems }) => systems.includes(system));
      const reason = foreignReason(
        decision.reason ?? "",
        having?.map(({ name }) => name),
      );
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
  // Who reads that somebody has it wonders why that one did not build it.
  return `${reason} (${named} ${others.length === 1 ? "has it and is" : "have it and are"} online, but builders do not share a build): ${remedy}`;
}
