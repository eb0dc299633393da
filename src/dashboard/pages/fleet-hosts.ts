// The hosts of the fleet as they are shown: what was built for each, what is done with it now, and what it runs.
import type { HostCondition, RunningHost } from "../../fleet/running-hosts.ts";
import { conditionWords } from "../../fleet/running-words.ts";
import { fullName } from "../../protocol/names.ts";
import type { HostResult } from "../../protocol/results.ts";
import { outcomeOf } from "../../protocol/verdicts.ts";
import type { Tone } from "../page/page.ts";
import { activityState, verdictState, type StateWord } from "../page/state-words.ts";
import { hostActivities, type FleetPicture, type HostActivity } from "../state/fleet-picture.ts";

/** One host as it is shown. */
export interface FleetHost {
  readonly repo: string;
  readonly host: string;
  readonly result: HostResult | undefined;
  readonly activity: HostActivity | undefined;
  /** What is built for it. */
  readonly said: StateWord;
  /** The newest verdict is a failure of its own, whatever is done with it now. */
  readonly fails: boolean;
  /** What it runs, where hosts say that. */
  readonly running: RunningHost | undefined;
}

/** A thousand names are compared ten times a second. */
const inOrder = new Intl.Collator("en").compare;

export function fleetHosts(picture: FleetPicture): readonly FleetHost[] {
  const activities = hostActivities(picture);
  const results = new Map(picture.hosts.map((host) => [fullName(host), host]));
  const runs = new Map(picture.running.map((host) => [fullName(host), host]));
  const names = [...new Set([...results.keys(), ...activities.keys(), ...runs.keys()])].toSorted(inOrder);
  return names.flatMap((name) => {
    const result = results.get(name);
    const activity = activities.get(name);
    const running = runs.get(name);
    const of = activity?.host ?? result ?? running;
    if (of === undefined) return [];
    const last = result && verdictState(outcomeOf(result));
    const now = activity && activityState(activity);
    const before = last ?? (activity === undefined ? neverBuilt : verdictState(undefined));
    // What waits for its turn is still what it was.
    const said = now !== undefined && (now.tone !== "idle" || last === undefined) ? now : before;
    return [{ repo: of.repo, host: of.host, result, activity, said, fails: last?.tone === "bad", running }];
  });
}

const neverBuilt: StateWord = { tone: "idle", word: "never built" };

/** A class of hosts that can be counted and shown alone. */
export interface HostClass {
  /** In the address. */
  readonly name: string;
  readonly tone: Tone;
  readonly word: string;
  readonly has: (host: FleetHost) => boolean;
}

/** Failed are all that fail, also while they are built again. */
export const buildClasses: readonly HostClass[] = [
  { name: "bad", tone: "bad", word: "failed", has: ({ fails }) => fails },
  { name: "warn", tone: "warn", word: "without a verdict", has: ({ said }) => said.tone === "warn" },
  { name: "busy", tone: "busy", word: "building", has: ({ said }) => said.tone === "busy" },
  { name: "idle", tone: "idle", word: "waiting", has: ({ said }) => said.tone === "idle" },
  { name: "good", tone: "good", word: "built", has: ({ said }) => said.tone === "good" },
];

const hasAny =
  (...types: readonly HostCondition["type"][]) =>
  ({ running }: FleetHost): boolean =>
    running?.conditions.some(({ type }) => types.includes(type)) ?? false;

export const runningClasses: readonly HostClass[] = [
  {
    name: "deploy-failed",
    tone: "bad",
    word: "deploy failed",
    has: hasAny("rollback-failed", "last-failed"),
  },
  { name: "deploying", tone: "busy", word: "deploying", has: hasAny("busy") },
  { name: "drift", tone: "warn", word: "drifted", has: hasAny("drift") },
  { name: "reboot", tone: "warn", word: "need a reboot", has: hasAny("reboot-needed") },
  { name: "units", tone: "warn", word: "with failed units", has: hasAny("failed-units") },
  { name: "absent", tone: "warn", word: "absent", has: hasAny("absent") },
  { name: "held", tone: "warn", word: "held", has: hasAny("held") },
  { name: "behind", tone: "idle", word: "behind", has: ({ running }) => (running?.behind ?? 0) > 0 },
  {
    name: "current",
    tone: "good",
    word: "up to date",
    has: ({ running }) => running?.behind === 0,
  },
];

const classes = new Map([...buildClasses, ...runningClasses].map((each) => [each.name, each]));

const ranks: readonly Tone[] = ["bad", "warn", "busy", "idle", "good"];
const rankOf = ({ said, fails, running }: FleetHost): number =>
  Math.min(
    ranks.indexOf(fails ? "bad" : said.tone),
    ...(running?.conditions.map((condition) => {
      const { tone } = conditionWords(condition);
      // That a host never reported is not a condition to sort by.
      return tone === "idle" ? ranks.length : ranks.indexOf(tone);
    }) ?? []),
  );
const orders: Readonly<Record<string, (a: FleetHost, b: FleetHost) => number>> = {
  host: (a, b) => inOrder(a.host, b.host),
  state: (a, b) => rankOf(a) - rankOf(b),
  behind: (a, b) => (b.running?.behind ?? -1) - (a.running?.behind ?? -1),
  deployed: (a, b) => lastDeployOf(a).localeCompare(lastDeployOf(b)),
  when: (a, b) => (a.result?.at ?? "").localeCompare(b.result?.at ?? ""),
  commit: (a, b) => (a.result?.commit ?? "").localeCompare(b.result?.commit ?? ""),
};
const lastDeployOf = ({ running }: FleetHost): string => running?.state?.last?.at ?? "";

const textOf = ({ repo, host, said, result, running }: FleetHost): string =>
  [
    `${repo}/${host}`,
    said.word,
    result?.reason,
    running?.commit,
    running?.state?.tier,
    running?.state?.role,
    ...(running?.conditions.map((condition) => conditionWords(condition).text) ?? []),
    ...Object.entries(running?.state?.labels ?? {}).map(([name, value]) => `${name}=${value}`),
  ]
    .join(" ")
    .toLowerCase();

/** Those that the address asks for, in its order. */
export function arrange(all: readonly FleetHost[], parameters: URLSearchParams): readonly FleetHost[] {
  const q = (parameters.get("q") ?? "").toLowerCase();
  const state = parameters.get("state") ?? "";
  const repo = parameters.get("repo") ?? "";
  const shown = all.filter(
    (each) =>
      (state === "" || classes.get(state)?.has(each) === true) &&
      (repo === "" || each.repo === repo) &&
      (q === "" || textOf(each).includes(q)),
  );
  const sort = parameters.get("sort") ?? "";
  const name = sort.replace(/^-/, "");
  const order = Object.hasOwn(orders, name) ? orders[name] : undefined;
  if (order === undefined) return shown;
  return shown.toSorted(sort.startsWith("-") ? (a, b) => order(b, a) : order);
}
