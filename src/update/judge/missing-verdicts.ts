// Why hosts have no verdict, for whoever reads the result of an update.
import { firstLine } from "../../base/lines.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { Classes } from "./decide-classes.ts";

const mostReasons = 3;
const longestReason = 500;

/** A line for each reason, with its hosts; text from outside is in it. */
export function missingVerdicts(state: BuildState, classes: Classes): readonly string[] {
  const missing = [...state.hosts.values()].filter(({ host }) => classes.get(host) === "infra");
  const byReason = Map.groupBy(missing, ({ finished }) =>
    firstLine(finished?.reason ?? "no reason was given"),
  );
  const lines = [...byReason].map(([reason, hosts]) => {
    const names = hosts.slice(0, 5).map(({ host }) => host);
    const more = hosts.length > names.length ? ", …" : "";
    return `${names.join(", ")}${more}: ${reason.slice(0, longestReason).toWellFormed()}`;
  });
  const more = lines.length - mostReasons;
  return [...lines.slice(0, mostReasons), ...(more > 0 ? [`and ${more} more reasons`] : [])];
}
