// One host of a deploy in a line: how far it is, or how it ended.
import { deployEndText } from "../../../words/deploy-words.ts";
import { formatDuration } from "../../../words/duration.ts";
import type { HostRow } from "../../deploy/host-row.ts";
import type { Style } from "../style.ts";

export const nameOfRow = ({ plan: { address } }: HostRow): string => address.host;

/** Already in its colours. */
export function rowText(row: HostRow, style: Style, now: number): string {
  const { glyphs } = style;
  const { plan, status, deployment, startedAt, ms } = row;
  const spent = ms ?? (startedAt === undefined ? undefined : now - startedAt);
  const time = spent === undefined ? "" : `  ${style.dim(formatDuration(spent))}`;
  switch (status) {
    case "refused": {
      const { detail, code } = plan.refusal ?? { detail: "", code: "" };
      return `${style.yellow(glyphs.fault)} ${style.clean(`not deployed: ${detail} (${code})`)}`;
    }
    case "unchanged":
      return `${style.green(glyphs.success)} unchanged`;
    case "waiting":
      return `${style.dim(glyphs.waiting)} waits`;
    case "skipped":
      return `${style.dim(glyphs.waiting)} not begun`;
    case "running":
      return `${style.cyan(glyphs.running)} ${deployment?.phase ?? "waits for the host to take the order"}${time}`;
    case "ended":
      return `${endText(row, style)}${time}`;
  }
}

function endText({ end, order }: HostRow, style: Style): string {
  const { glyphs } = style;
  const fault = (text: string): string => `${style.yellow(glyphs.fault)} ${style.clean(text)}`;
  switch (end?.type) {
    case "ended": {
      const last = end.deployment.end;
      if (last === undefined) return fault("no outcome");
      const text = style.clean(deployEndText(last));
      return last.outcome === "completed" || last.outcome === "unchanged"
        ? `${style.green(glyphs.success)} ${text}`
        : `${style.red(glyphs.failure)} ${style.red(text)}`;
    }
    case "staged":
      return order?.action === "boot"
        ? `${style.green(glyphs.success)} taken at the next boot`
        : fault(`waits for a reboot: ${end.deployment.staged ?? ""}`);
    case "superseded":
      return fault("another order took its place");
    case "not-taken":
      return fault("the host did not take the order while it was valid");
    case "lost":
      return fault("the host has not come back from its reboot");
    case undefined:
      return fault("no outcome");
  }
}
