// From a report and the logs behind it to what is sent to a forge.
import type { BuildReader } from "../../bus/bus.ts";
import type { FileToAttach, LabelSpecification } from "../../forge/forge.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import { createLogAttachment } from "./log-attachment.ts";
import { codeBlock, codeSpan, tailOf } from "../../base/markdown-text.ts";
import { logMarkerStart } from "./propose.ts";
import type { Proposal, ProposalComment } from "../update.ts";
import { printMarker } from "./pull-request-marker.ts";
import { redactReport } from "../report/redact-report.ts";
import { labelsOf, titleOf, type UpdateLabel } from "../report/report-headline.ts";
import { printBody } from "../report/report-markdown.ts";
import type { RootFailure, UpdateReport } from "../report/report.ts";

export type PublishLogs = "full" | "excerpt" | "never";

export interface ProposalParts {
  readonly report: UpdateReport;
  /** The digest of the candidate's lock, as in the marker. */
  readonly lock: string;
  /** The builds with the logs. */
  readonly states: readonly BuildState[];
  readonly builds: BuildReader;
  readonly secrets: readonly string[];
  readonly publishLogs: PublishLogs;
  readonly maxBodyBytes: number;
}

const labels: Readonly<Record<UpdateLabel, LabelSpecification>> = {
  "build-failure": { name: "build-failure", colour: "#d73a4a", description: "An update breaks hosts" },
  "needs-review": {
    name: "needs-review",
    colour: "#fbca04",
    description: "An update builds and needs a decision",
  },
};

/** Logs that are attached at most; the report names all failures. */
const mostLogs = 20;

export async function composeProposal(parts: ProposalParts, signal: AbortSignal): Promise<Proposal> {
  const { publishLogs, secrets, lock, maxBodyBytes } = parts;
  const report = redactReport(published(parts.report, publishLogs), secrets);
  const marker = printMarker({ run: report.run, base: report.base, lock });
  return {
    title: titleOf(report),
    body: printBody(report, marker, Math.min(maxBodyBytes, 60_000)),
    labels: labelsOf(report).map((label) => labels[label]),
    lock,
    comments: publishLogs === "full" ? await logComments(parts, report, signal) : [],
  };
}

/** What of the logs is for everybody who may read the repository. */
function published(report: UpdateReport, publishLogs: PublishLogs): UpdateReport {
  if (publishLogs === "full") return report;
  const failures = report.failures.map((failure) => {
    if (publishLogs === "excerpt") return { ...failure, attachment: undefined };
    const { name, hosts, phase, reason, input } = failure;
    return { name, hosts, phase, reason, input, tail: "" };
  });
  return { ...report, failures };
}

async function logComments(
  { states, builds, secrets }: ProposalParts,
  report: UpdateReport,
  signal: AbortSignal,
): Promise<ProposalComment[]> {
  const wanted = report.failures.filter(({ attachment }) => attachment !== undefined).slice(0, mostLogs);
  const byDerivation = new Map(wanted.map((failure) => [failure.drvPath ?? "", failure]));
  const files = new Map<string, FileToAttach>();
  for (const state of states) {
    const read = await readLogs(builds, state, byDerivation, secrets, signal);
    for (const [drvPath, file] of read) files.set(drvPath, file);
  }
  return wanted.flatMap((failure) => {
    const file = files.get(failure.drvPath ?? "");
    return file === undefined ? [] : [commentOf(failure, file)];
  });
}

function commentOf(failure: RootFailure, file: FileToAttach): ProposalComment {
  // By the file's name, which has the derivation's hash: the same failure of the next run is the same comment.
  const marker = `${logMarkerStart}${file.name} -->`;
  const excerpt = codeBlock(tailOf(failure.tail, 50, 16 * 1024));
  const of = `Log of ${codeSpan(failure.name)}, which ${failure.hosts.length === 1 ? "1 host needs" : `${failure.hosts.length} hosts need`}.`;
  return {
    marker,
    body: `${marker}\n${of} The full log is attached. It ends with:\n\n${excerpt}\n`,
    bodyWithoutFile: `${marker}\n${of} This forge does not take the file. The log ends with:\n\n${excerpt}\n`,
    file,
  };
}

/** All logs of a build in one pass: log storage is read from beginning to end. */
async function readLogs(
  builds: BuildReader,
  state: BuildState,
  wanted: ReadonlyMap<string, RootFailure>,
  secrets: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, FileToAttach>> {
  const numbers = new Map(
    state.failures.flatMap(({ drvPath, log }) =>
      log === undefined || !wanted.has(drvPath) ? [] : [[log, drvPath] as const],
    ),
  );
  const writers = new Map(
    [...numbers].map(
      ([log, drvPath]) =>
        [log, createLogAttachment(wanted.get(drvPath)?.attachment ?? "log.log.gz", secrets)] as const,
    ),
  );
  const stored = new Set<number>();
  for await (const chunk of builds.readLogs(state.id, signal)) {
    writers.get(chunk.log)?.write(Buffer.from(chunk.text));
    stored.add(chunk.log);
  }
  // The build may be an earlier run's: its verdict is kept longer than its logs.
  for (const [log, writer] of writers) {
    if (stored.has(log)) continue;
    const { tail = "" } = wanted.get(numbers.get(log) ?? "") ?? {};
    writer.write(Buffer.from(`[the full log is no longer stored; this is its end]\n${tail}\n`));
  }
  const files = new Map<string, FileToAttach>();
  for (const [log, writer] of writers) {
    const drvPath = numbers.get(log);
    const { name, bytes } = await writer.end();
    if (drvPath !== undefined) files.set(drvPath, { name, bytes });
  }
  return files;
}
