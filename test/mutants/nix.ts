import type { Mutant } from "./mutant.ts";

export const nixMutants: readonly Mutant[] = [
  {
    file: "src/nix/realise/authenticity.ts",
    from: "        failureCounted: false,\n        unexplained",
    to: "        unexplained",
    why: "after one failure every build that ends may be accused by what others print",
  },
  {
    file: "src/nix/realise/authenticity.ts",
    from: "(running === 0 && !startedSinceCounts)",
    to: "running === 0",
    why: "a builder that has just begun can say in Nix's name why another failed",
  },
  {
    file: "src/nix/realise/activity-log.ts",
    from: "    if (activities > 0) return;\n",
    to: "",
    why: "a build on another machine is begun twice",
  },
  {
    file: "src/nix/realise/decide-failure.ts",
    from: "killed && process.outOfMemoryKills > 0",
    to: "killed",
    why: "a test that kills itself is retried as if memory had been short",
  },
  {
    file: "src/nix/realise/decide-failure.ts",
    from: "limitSeconds > 0 && ",
    to: "",
    why: "without a limit every build that fails has timed out",
  },
  {
    file: "src/nix/realise/failure-message.ts",
    from: "/^\\d+ dependenc(?:y|ies) failed$/",
    to: "/^\\d+ dependencies failed$/",
    why: "since 2.29, a host is told that it failed by itself when its one dependency did",
  },
  {
    file: "src/nix/realise/failures.ts",
    from: "result.started.has(drvPath) ? [] : ",
    to: "",
    why: "inputs that were collected since are accused, and the derivation that failed is not",
  },
  {
    file: "src/nix/realise/failures.ts",
    from: "level === 0 && authentic",
    to: "level === 0",
    why: "what a builder printed in the words of Nix decides a verdict",
  },
  {
    file: "src/nix/realise/realise.ts",
    from: "for (const activity of rest) await onActivity(activity);",
    to: "for (const activity of rest) void onActivity(activity);",
    why: "a build that prints faster than its log can be stored fills the memory",
  },
  {
    file: "src/nix/evaluate/evaluation-failure.ts",
    from: "if (log.threw || !looksLikeInfrastructure(text)) {",
    to: "if (!looksLikeInfrastructure(text)) {",
    why: "a host that throws the words of a full disk is retried, and never fails",
  },
  {
    file: "src/nix/evaluate/evaluation-memory.ts",
    from: 'if (results.delete(host)) journal.append({ type: "forgotten", context, host });',
    to: "results.delete(host);",
    why: "after a restart an evaluation is remembered whose derivation is gone",
  },
  {
    file: "src/nix/evaluate/toplevel.ts",
    from: ".find((path) => path === output)",
    to: ".at(0)",
    why: "a flake that names another output than its derivation has is believed",
  },
  {
    file: "src/nix/lock/flake-lock-graft.ts",
    from: "() => source)];",
    to: "originOf)];",
    why: "below an input that is updated its own inputs stay as they were",
  },
  {
    file: "src/nix/lock/lock-update-failure.ts",
    from: "if (stale === undefined) return undefined;",
    to: "return undefined;",
    why: "a remote that is down looks like one that did not move",
  },
  {
    file: "src/nix/evaluate/failed-import.ts",
    from: 'if (explained.kind === "infra") return excused(explained.reason);',
    to: "",
    why: "a host is accused of a server that was down while it was evaluated",
  },
  {
    file: "src/narinfo/answers.ts",
    from: "this.#conclude(true)",
    to: "this.#conclude(false)",
    why: "a narinfo of which half has come is read as a whole one",
  },
  {
    file: "src/narinfo/answers.ts",
    from: "if (this.#body?.push(chunk) === false) controller.pause();",
    to: "this.#body?.push(chunk);",
    why: "a NAR that comes faster than it is unpacked fills the memory",
  },
];
