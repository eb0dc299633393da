// Why hosts have no verdict, for whoever reads the result of an update.
import type { Validated } from "../update.ts";
import { isOwnFault } from "../../protocol/verdicts.ts";
import { firstLine } from "../../base/lines.ts";
import type { HostState } from "../../protocol/build-state.ts";

const mostReasons = 3;
const longestReason = 500;

/** A line for each reason, with its hosts; text from outside is in it. */
export function missingVerdicts({
  state,
  baseState,
  classes,
}: Pick<Validated, "state" | "baseState" | "classes">): readonly string[] {
  const missing = [...state.hosts.values()].filter(({ host }) => classes.get(host) === "infra");
  const byReason = Map.groupBy(missing, (host) => {
    const { finished } = host;
    if (finished === undefined || !isOwnFault(finished.verdict)) return reasonOf(host);
    const before = [...(baseState?.hosts.values() ?? [])].find((each) => each.host === host.host);
    return `it fails, and it is unknown whether it did before: ${before === undefined ? "the base was not built" : reasonOf(before)}`;
  });
  const lines = [...byReason].map(([reason, hosts]) => {
    const names = hosts.slice(0, 5).map(({ host }) => host);
    const more = hosts.length > names.length ? ", …" : "";
    return `${names.join(", ")}${more}: ${reason.slice(0, longestReason).toWellFormed()}`;
  });
  const more = lines.length - mostReasons;
  return [...lines.slice(0, mostReasons), ...(more > 0 ? [`and ${more} more reasons`] : [])];
}

const reasonOf = ({ finished }: HostState): string => firstLine(finished?.reason ?? "no reason was given");
