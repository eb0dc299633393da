import type { Mutant } from "./mutant.ts";

export const updateMutants: readonly Mutant[] = [
  {
    file: "src/update/judge/decide-classes.ts",
    from: 'if (before !== undefined && isOwnFault(before)) return "pre-existing";',
    to: 'if (before === undefined || isOwnFault(before)) return "pre-existing";',
    why: "a host that nobody could ask about before counts as broken before, and the update that breaks it lands",
  },
  {
    file: "src/update/judge/decide-classes.ts",
    from: ".some(({ size }) => size === 0)",
    to: ".every(({ size }) => size === 0)",
    why: "an update lands although a required repo downstream has no host at all",
  },
  {
    file: "src/update/judge/decide-classes.ts",
    from: "!classes.has(name) && !skipped.has(name)",
    to: "!classes.has(name)",
    why: "a host that is left out by configuration counts as lost, and no update lands any more",
  },
  {
    file: "src/update/judge/decide-blocker.ts",
    from: "path.length === 1",
    to: "path.length >= 1",
    why: "an input of an input that moves elsewhere keeps the update from landing",
  },
  {
    file: "src/update/judge/judge-revision.ts",
    from: ".filter((host) => inventory.includes(host))",
    to: "",
    why: "the base is asked about hosts that are new, refuses, and its own broken hosts count as broken by the update",
  },
  {
    file: "src/update/judge/build-commit.ts",
    from: "!isOurs || !isOfCommit",
    to: "!isOurs && !isOfCommit",
    why: "a build of something else under the same id judges the update",
  },
  {
    file: "src/update/judge/base-records.ts",
    from: "!found.has(host.host) && ",
    to: "",
    why: "an older verdict of the base wins over the newer one",
  },
  {
    file: "src/update/judge/build-within.ts",
    from: "if (waiting.aborted) {",
    to: "if (signal.aborted) {",
    why: "a build that took too long for this run continues, and nobody wants it",
  },
  {
    file: "src/update/search/search-inputs.ts",
    from: "groups.length < 2",
    to: "groups.length > 0",
    why: "inputs that need each other are called culprits beside the one that breaks them all",
  },
  {
    file: "src/update/search/search-revisions.ts",
    from: 'bad === good + 1 ? "found" : "skipped"',
    to: '"found"',
    why: "a revision is named as the first bad one although those before it could not be judged",
  },
  {
    file: "src/update/search/bisect-input.ts",
    from: "isOldGood && before === old",
    to: "isOldGood",
    why: "where history was rewritten, a revision that nobody built counts as good",
  },
  {
    file: "src/update/search/breakage.ts",
    from: "without === undefined && hosts.length > 0",
    to: "hosts.length > 0",
    why: "the search goes on after the infrastructure has failed a part",
  },
  {
    file: "src/update/land/landing.ts",
    from: "isAncestor(commit, tip, signal)",
    to: "isAncestor(tip, commit, signal)",
    why: "a merge that never brought the commit onto the branch counts as landed",
  },
  {
    file: "src/update/propose/decide-pull-requests.ts",
    from: "&&\n      !pullRequest.body.includes(supersededNote)",
    to: "",
    why: "what updates closed themselves counts as a person's no, and is never proposed again",
  },
  {
    file: "src/update/propose/decide-pull-requests.ts",
    from: '  if (days >= closeAfterDays && !isCurrent) return "close";\n  return days >= remindAfterDays ? "remind" : "leave";',
    to: '  if (days >= remindAfterDays) return "remind";\n  return days >= closeAfterDays ? "close" : "leave";',
    why: "a stale proposal is reminded of forever, and never closed",
  },
  {
    file: "src/update/propose/decide-pull-requests.ts",
    from: "days >= closeAfterDays && !isCurrent",
    to: "days >= closeAfterDays",
    why: "a proposal that updates still come to is closed, and opened again by the next run",
  },
  {
    file: "src/update/lease.ts",
    from: "        held = next;\n",
    to: "",
    why: "the second renewal of a lease fails, and a long update stops itself",
  },
];
