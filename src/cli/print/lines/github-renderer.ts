// For the log of a CI step on GitHub, Gitea or Forgejo: lines as in `plain`, logs folded, annotations, and a summary
// page. Everything goes to standard output: the runner reads two streams, but not in the order of writing, and
// commands must stand exactly around what they are about.
import { appendFileSync } from "node:fs";
import { messageOf } from "../../../base/errors.ts";
import { withoutCommand } from "../../../base/terminal-text.ts";
import type { BuildState } from "../../../protocol/build-state.ts";
import { closingSentence } from "../../../words/closing-sentence.ts";
import { groupFailures, isInfra, type FailureGroup } from "../../../words/failure-groups.ts";
import { tailLength } from "../summary/failure-text.ts";
import { explain } from "../../../words/failure-groups.ts";
import { hostLabelOf, hostList } from "../../../words/host-names.ts";
import { verdictWords } from "../../../words/verdict-words.ts";
import { createLineFeed } from "./line-feed.ts";
import { collectLogs, type LogGroup } from "./log-groups.ts";
import type { BuildRenderer, RendererOptions } from "../renderer.ts";
import { stepSummary } from "./step-summary.ts";
import { plainStyle } from "../style.ts";
import { renderSummary } from "../summary/summary.ts";
import {
  annotation,
  groupEnd,
  groupStart,
  mostAnnotations,
  randomToken,
  withoutCommands,
} from "./workflow-commands.ts";

export function createGithubRenderer(options: RendererOptions): BuildRenderer {
  const { out, clock, outStyle: style } = options;
  const newToken = options.randomToken ?? randomToken;
  const logs = collectLogs();
  const write = (lines: readonly string[]): void => {
    if (lines.length > 0) out.write(lines.map((line) => `${line}\n`).join(""));
  };
  const feed = createLineFeed({
    clock,
    style,
    derivations: options.detail === "verbose",
    write: (lines) => write(lines.map(withoutCommand)),
    onQuiet: () => writeFolded(logs.takeQuiet()),
  });

  const inert = ({ lines }: LogGroup): string[] =>
    withoutCommands(
      lines.map((line) => style.log(line)),
      newToken(),
    );
  const writeFolded = (groups: readonly LogGroup[]): void =>
    write(
      groups.flatMap((group) => [
        groupStart(`Log of ${plainStyle.clean(group.title)}`),
        ...inert(group),
        groupEnd,
      ]),
    );

  return {
    start: (build) => feed.start(build),
    message(message) {
      feed.message(message);
      if (message.type === "log") writeFolded(logs.add(message.chunk));
      if (message.type === "event" && message.event.type === "derivation-failed") {
        // A group cannot be shown unfolded, and nobody should have to look for the one that failed.
        write(logs.take(message.event.drvPath).flatMap(inert));
      }
    },
    notice: (line) => feed.say(line),
    resize() {},
    finish(state) {
      feed.stop();
      writeFolded(logs.takeAll());
      const summary = renderSummary(state, { style, showTrace: options.showTrace });
      write(withoutCommands(summary.trimEnd().split("\n"), newToken()));
      write(annotations(state));
      const { stepSummaryPath = "" } = options;
      if (stepSummaryPath !== "") write(appendSummary(stepSummaryPath, state));
    },
    interrupted() {
      feed.stop();
    },
  };
}

function annotations(state: BuildState): string[] {
  const groups = groupFailures(state);
  if (groups.length === 0 && state.status !== "succeeded" && state.status !== "running") {
    const reason = state.reason === undefined ? "" : `: ${plainStyle.clean(state.reason)}`;
    return [annotation("error", "homelab-deploy", `${closingSentence(state)}${reason}`)];
  }
  const own = groups.filter((group) => !isInfra(group));
  const infra = groups.filter(isInfra);
  return [
    ...own.slice(0, mostAnnotations).map((group) => annotate("error", state, group)),
    ...infra.slice(0, mostAnnotations).map((group) => annotate("warning", state, group)),
  ];
}

function annotate(level: "error" | "warning", state: BuildState, group: FailureGroup): string {
  const broken = hostList(group.hosts.map(hostLabelOf(state, plainStyle.clean)));
  if (group.type === "hosts") {
    const lines = group.reason.split("\n").map((line) => plainStyle.clean(line));
    return annotation(level, `${broken}: ${verdictWords[group.verdict]}`, lines.join("\n"));
  }
  const { failure } = group;
  const lines = [explain(failure), ...failure.tail.slice(-tailLength)].map((line) => plainStyle.clean(line));
  return annotation(level, `${plainStyle.clean(failure.name)} failed, breaks ${broken}`, lines.join("\n"));
}

/** Failing to write a summary is not a reason to fail a build. */
function appendSummary(path: string, state: BuildState): string[] {
  try {
    appendFileSync(path, stepSummary(state));
    return [];
  } catch (error) {
    return [annotation("warning", "homelab-deploy", `the step summary was not written: ${messageOf(error)}`)];
  }
}
