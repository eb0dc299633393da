// `homelab-deploy builds`: one line for each build.
import { statusOf } from "../../../protocol/build-state.ts";
import type { BuildId } from "../../../protocol/names.ts";
import { startOf, type BuildSummary } from "../../../protocol/results.ts";
import type { BuildOutcome } from "../../../protocol/verdicts.ts";
import { durationOf } from "../../../words/closing-sentence.ts";
import { formatAbsolute, formatAgo, formatDuration } from "../../../words/duration.ts";
import type { Style } from "../style.ts";
import { renderTable } from "./table.ts";
import { shortId } from "../../../words/short-id.ts";
import { sourceText } from "../../../words/source-text.ts";

export interface ListPrint {
  readonly style: Style;
  /** The width of the terminal; undefined if nothing limits it. */
  readonly width?: number;
  readonly now: Date;
  /** Local times with their zone, instead of how long ago they were. */
  readonly absolute?: boolean;
  /** Every id that there is. On a terminal, ids are cut to what tells them apart. */
  readonly ids?: readonly string[];
}

export const whenText = (time: Date, { absolute, now }: ListPrint): string =>
  absolute === true ? formatAbsolute(time) : formatAgo(time, now);

/** Whole where nothing limits the width: programs read that. */
export const idText = (id: BuildId, { width, ids = [] }: ListPrint): string =>
  width === undefined ? id : shortId(id, ids);

/** Lines in the order of the builds given, newest first as a rule; text that ends in a newline. */
export function renderBuilds(builds: readonly BuildSummary[], print: ListPrint): string {
  const { style, width, now } = print;
  if (builds.length === 0) return "no builds yet\n";
  const table = renderTable(
    {
      columns: [
        { title: "Build" },
        { title: "Result" },
        { title: "When" },
        { title: "Time", align: "right" },
        { title: "Hosts" },
        { title: "Source", flexible: true },
        { title: "By", flexible: true },
      ],
      rows: builds.map((build) => [
        idText(build.id, print),
        statusText(statusOf(build), style),
        whenText(startOf(build), print),
        durationOf(build) ?? runningFor(build, now),
        hostsText(build),
        build.sources.map(sourceText).join(", "),
        style.clean(build.requestedBy ?? build.trigger ?? ""),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}

const runningFor = (build: BuildSummary, now: Date): string =>
  build.status === "running" ? `${formatDuration(now.getTime() - startOf(build).getTime())}+` : "";

/** `✗ failed`, in its colour: the same words as in the protocol. */
export function statusText(status: "queued" | "running" | BuildOutcome, style: Style): string {
  const { glyphs } = style;
  switch (status) {
    case "succeeded":
      return `${style.green(glyphs.success)} succeeded`;
    case "failed":
      return `${style.red(glyphs.failure)} ${style.red("failed")}`;
    case "internal-error":
      return `${style.red(glyphs.failure)} ${style.red("internal error")}`;
    case "running":
      return `${style.cyan(glyphs.running)} running`;
    case "queued":
      return `${style.dim(glyphs.waiting)} queued`;
    case "infra-failed":
    case "expired":
    case "rejected":
      return `${style.yellow(glyphs.fault)} ${status}`;
    case "cancelled":
      return `${style.dim(glyphs.waiting)} cancelled`;
  }
}

/** `5/6`: how many are a success, of all. */
const hostsText = ({ hosts: { success, total } }: BuildSummary): string =>
  total === 0 ? "" : `${success}/${total}`;
