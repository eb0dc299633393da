import type { Mutant } from "./mutant.ts";

export const builderMutants: readonly Mutant[] = [
  {
    file: "src/builder/decide-verdicts.ts",
    from: "if (failed.length > 0) return",
    to: 'if (failed.length > 0 && ofKind("infra").length === 0) return',
    why: "a host that fails by itself is retried because something else failed beside it",
  },
  {
    file: "src/builder/decide-verdicts.ts",
    from: "failure.isOwn === true",
    to: 'failure.cause !== "infra"',
    why: "an evaluation that took too long once is remembered as failed forever",
  },
  {
    file: "src/builder/holdings/decide-resume.ts",
    from: "Date.parse(holder.at) > presence.goneAfterMs",
    to: "Date.parse(holder.at) > presence.intervalMs",
    why: "a builder that is between two statuses loses its builds to another",
  },
  {
    file: "src/builder/holdings/decide-resume.ts",
    from: "events.findLastIndex(",
    to: "events.findIndex(",
    why: "a build that went on after each resume is given up",
  },
  {
    file: "src/builder/holdings/build-control.ts",
    from: 'return heldHere ? "later" : "begin-cancelled"',
    to: 'return "begin-cancelled"',
    why: "a cancel that comes while the first event is stored begins the build a second time",
  },
  {
    file: "src/builder/intake/decide-acceptance.ts",
    from: "const { complete: _, ...others } = acceptance;",
    to: "const others = acceptance;",
    why: "an inventory without the repos that were out of reach counts as complete, and their hosts as gone",
  },
  {
    file: "src/builder/evaluation/plan-evaluations.ts",
    from: "`${of.repo}@${revisionName(of)}`",
    to: "`${of.repo}@${of.commit}`",
    why: "hosts with overrides are evaluated in one process with those without, from the wrong source",
  },
  {
    file: "src/builder/record/build-record.ts",
    from: "    await writer.append(event, signal);\n    state = applyEvent(state, event);\n",
    to: "    state = applyEvent(state, event);\n    await writer.append(event, signal);\n",
    why: "an event that could not be stored counts as stored, and the next one leaves a gap",
  },
  {
    file: "src/builder/record/end-build.ts",
    from: "state.isPartial === true || state.unresolved !== undefined",
    to: "state.isPartial === true",
    why: "a build that is ended counts as a success although nobody knows the hosts of one of its repos",
  },
  {
    file: "src/builder/work-board.ts",
    from: "      if (build.verdicts.get(name) !== undefined) continue;\n",
    to: "",
    why: "a build that is resumed builds hosts again that have their verdict",
  },
  {
    file: "src/builder/lanes/build-together.ts",
    from: "if (undecided.delete(work as ReadyWork) && isOurs(work)) stop.abort();",
    to: "undecided.delete(work as ReadyWork);",
    why: "Nix continues building for hours what was cancelled",
  },
  {
    file: "src/builder/lanes/failure-report.ts",
    from: 'kind !== "infra" && needed.has(drvPath)',
    to: "needed.has(drvPath)",
    why: "a full disk of an hour ago fails every host that needs what was built then",
  },
  {
    file: "src/builder/lanes/early-verdicts.ts",
    from: "      looking = undefined;\n",
    to: "",
    why: "only the first hosts get their verdict while the others still build",
  },
  {
    file: "src/builder/checks/output-check.ts",
    from: "  work.reevaluated = true;\n",
    to: "",
    why: "a host whose derivation vanishes again and again is evaluated forever",
  },
  {
    file: "src/builder/engine.ts",
    from: "firstLog: (state.epoch - 1) * logsPerEpoch",
    to: "firstLog: 0",
    why: "a build that is resumed repeats the numbers of its logs, and readers drop the new ones",
  },
  {
    file: "src/builder/intake/take-request.ts",
    from: "      delivery.working();\n",
    to: "",
    why: "the server gives a request to another builder while this one still resolves it",
  },
  {
    file: "src/builder/checks/valid-outputs.ts",
    from: "there.filter((work) => valid.has(outputOf(work)))",
    to: "there",
    why: "an output that is only half written counts as built",
  },
  {
    file: "src/builder/lanes/build-lane.ts",
    from: "if (!moreCome()) return 0;",
    to: "if (running === 0) return 0;",
    why: "each host that is evaluated starts a Nix process of its own",
  },
  {
    file: "src/builder/lanes/lane-activity.ts",
    from: "        hosts.add(work);\n",
    to: "",
    why: "the log of a derivation that began before the graph was read is shown for all hosts",
  },
];
